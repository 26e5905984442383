/* SPDX-License-Identifier: MIT */
/* Names under which a model compiles the scheduler's sources, so that they do not meet the library's
 * own objects, and the few functions of clock, monitor and pool that a model puts its own for. */
#ifndef EDO_TESTS_MODEL_RENAME_H
#define EDO_TESTS_MODEL_RENAME_H

/* core/park.c */
#define edo__idle_init model_idle_init
#define edo__idle_deinit model_idle_deinit
#define edo__idle_notify model_idle_notify
#define edo__idle_notify_more model_idle_notify_more
#define edo__idle_search model_idle_search
#define edo__idle_search_end model_idle_search_end
#define edo__idle_sleep model_idle_sleep
#define edo__idle_leave model_idle_leave
#define edo__idle_join model_idle_join
#define edo__idle_quit model_idle_quit
#define edo__idle_all_asleep model_idle_all_asleep
#define edo__parker_prepare model_parker_prepare
#define edo__parker_done model_parker_done
#define edo__parker_notify model_parker_notify
/* base/spin.c: in checker.h */
#define edo__spin_wait model_spin_wait
/* core/inject.c */
#define edo__inject_push model_inject_push
#define edo__inject_pop model_inject_pop
/* core/sched.c */
#define edo__tls_self model_tls_self
#define edo__self_task model_self_task
#define edo__self model_self
#define edo__set_self model_set_self
#define edo__set_current_worker model_set_current_worker
#define edo__current_worker model_current_worker
#define edo__thread_worker model_thread_worker
#define edo__worker_wake model_worker_wake
#define edo__wake_one model_wake_one
#define edo__wake_another model_wake_another
#define edo__queue_local model_queue_local
#define edo__schedule_on model_schedule_on
#define edo__schedule model_schedule
#define edo__schedule_by model_schedule_by
#define edo__schedule_new model_schedule_new
#define edo__work_visible model_work_visible
#define edo__give_away model_give_away
#define edo__give_away_next model_give_away_next
#define edo_yield model_yield
#define edo_task_id model_task_id
#define edo_task_name model_task_name
#define edo_task_pin model_task_pin
/* core/worker.c */
#define edo__suspend model_suspend
#define edo__stack_entry model_stack_entry
#define edo__worker_expire model_worker_expire
#define edo__worker_expire_for model_worker_expire_for
#define edo__worker_run model_worker_run
#define edo__worker_init model_worker_init
#define edo__worker_deinit model_worker_deinit
/* in the model */
#define edo__clock_now model_clock_now
#define edo__clock_real model_clock_real
#define edo__clock_jump model_clock_jump
#define edo__monitor_kick model_monitor_kick
#define edo__pool_idle model_pool_idle
#define edo__meter_init model_meter_init
#define edo__meter_turn model_meter_turn
#define edo__meter_begin model_meter_begin
#define edo__meter_end model_meter_end
#define edo__meter_spawned model_meter_spawned
#define edo__meter_woken model_meter_woken
#define edo__meter_ran model_meter_ran
#define edo__meter_idle model_meter_idle
#define edo__meter_busy model_meter_busy
#define edo__cpus_enter model_cpus_enter
#define edo__cpus_leave model_cpus_leave
#define edo__hook_worker model_hook_worker
#define edo__hook_park model_hook_park
#define edo__hook_unpark model_hook_unpark
#define edo__hook_end model_hook_end

#endif
