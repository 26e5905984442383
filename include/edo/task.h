/* SPDX-License-Identifier: MIT */
/* Edo: tasks, groups, scopes, tokens.
 *
 * A task is an ordinary function with a stack of its own. It lives in a group, and a group cannot
 * be closed before its tasks have ended: that is why children may point into the parent's frame.
 *
 * Cancelling is a state of a scope, not an event: while the innermost scope of a task is cancelled
 * (or its deadline has passed), every suspending call returns -ECANCELED without effect. Scopes
 * nest across tasks: what is cancelled outside reaches every task spawned into a group that was
 * opened inside. */
#ifndef EDO_TASK_H
#define EDO_TASK_H

#include <edo/base.h>

#ifdef __cplusplus
extern "C" {
#endif

struct edo__task;
struct edo__waiter;

typedef struct edo_token edo_token;

/* A region of a task's execution that can be cancelled. Lives in the caller's frame; the members
 * are the library's. Scopes close in the reverse order of opening, in the task that opened them. */
typedef struct edo_scope {
    struct edo_scope *edo__parent; /* enclosing scope: same task's, or the task's group      */
    struct edo__task *edo__owner;  /* the task that opened it                                */
    int64_t edo__deadline;         /* its own, absolute                                      */
    int64_t edo__deadline_eff;     /* the earliest of its own and all outside up to a shield */
    uint32_t edo__cancelled;       /* atomic: 0, or why it counts as cancelled               */
    uint32_t edo__flags;           /* group, shield                                          */
    edo_token *edo__token;         /* cancelled with this token; NULL                        */
    struct edo_scope *edo__tprev;  /* on the token's list while open                         */
    struct edo_scope *edo__tnext;
} edo_scope;

typedef struct edo_group_options {
    unsigned limit;   /* live children at most: edo_spawn() waits for room; 0: no limit      */
    bool keep_going;  /* a child's failure does not cancel the others                        */
    const char *name; /* for dumps; must outlive the group; NULL: none                       */
    bool discard;     /* results are not kept for edo_group_next(): for servers that spawn
                         for ever; without it each ended child leaves 32 B until then, or
                         288 B if it has a name                                              */
    bool ordered;     /* edo_group_next() reports in spawn order: a result is held (150 B) until
                         those of all children spawned before were taken                     */
} edo_group_options;

/* A set of tasks that end before it is closed; a scope at the same time. */
typedef struct edo_group {
    edo_scope edo__scope;        /* first member: a group is a scope                   */
    struct edo_runtime *edo__rt; /* its children run there                             */
    uint32_t edo__lock;          /* spin lock over all below                           */
    uint32_t edo__live;          /* children that have not ended                       */
    uint32_t edo__limit;         /* of live children                                   */
    int32_t edo__code;           /* first negative code of a child                     */
    bool edo__keep_going;
    bool edo__discard;
    bool edo__ordered;
    bool edo__owner_ordered;           /* the owner waits for the first in line to end       */
    struct edo__task *edo__children;   /* live ones, doubly linked                           */
    struct edo__results *edo__results; /* of ended children, not taken yet, oldest first     */
    struct edo__results *edo__results_last;
    struct edo__task *edo__taken;  /* whose name the last edo_group_next() returned      */
    struct edo__task *edo__owner;  /* waits in close, next or a select                   */
    uint8_t edo__owner_wants;      /* all children to end, or any; and its wake code     */
    struct edo__waiter *edo__room; /* spawners waiting for room, first come first served */
    struct edo__waiter *edo__room_last;
    const char *edo__name;
} edo_group;

typedef enum edo_priority {
    EDO_PRIORITY_NORMAL,
    EDO_PRIORITY_LOW, /* runs when there is nothing else to run, and one such task per 62 runs */
} edo_priority;

typedef struct edo_task_options {
    const char *name;      /* copied, 23 bytes at most are kept; NULL: none                       */
    size_t stack_size;     /* bytes: rounded up to a stack class, 1 MiB at most; 0: the default   */
    bool pinned;           /* stays on the worker that starts it, see edo_task_pin()              */
    uint64_t key;          /* the caller's name for it: see edo_spawn_keyed(); 0: none            */
    edo_priority priority; /* EDO_PRIORITY_NORMAL; its children have their own                */
} edo_task_options;

/* How a child ended. */
typedef struct edo_result {
    uint64_t id;      /* edo_task_id() of the child                                           */
    const char *name; /* valid until the next edo_group_next() or close of this group; or ""  */
    int code;         /* what its function returned                                           */
    void *arg;        /* what it was spawned with; NULL after edo_spawn_copy()                */
    uint64_t key;     /* what it was spawned with; 0: none                                    */
} edo_result;

/* edo_group_open - opens a group in the caller's frame.
 * @g: caller's storage, until edo_group_close().
 * @options: copied; NULL: no limit, fail fast.
 * Returns 0, or -EPERM outside of a task.
 *
 *     edo_group g;
 *     edo_group_open(&g, NULL);
 *     for (int i = 0; i < 10; i++)
 *         rc = edo_spawn(&g, work, &item[i]);
 *     rc = edo_group_close(&g);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  task */
int edo_group_open(edo_group *g, const edo_group_options *options);

/* edo_group_close - waits until every child has ended, also when cancelled (the children are, too).
 * Returns 0, or the first negative code a child returned; that one has cancelled the others, unless
 * keep_going is set. The group's storage is free again.
 *
 * Suspends: maybe
 * Cancel:   not a checkpoint
 * Threads:  owner (the task that opened it) */
int edo_group_close(edo_group *g);

/* edo_group_next - waits for a child that ended and was not reported yet, in completion order; with
 * `ordered` in spawn order.
 * @out: filled when 1 is returned.
 * Returns 1; 0 when no child is left; -ECANCELED when the scope around the group is cancelled (the
 * group's own cancel does not interrupt it: the children are on their way out). Should there have been
 * no memory to keep a child's result (32 bytes) it is missing here; closing still returns its code.
 *
 *     edo_result r;
 *     while (edo_group_next(&g, &r) > 0)
 *         printf("%s ended with %s\n", r.name, edo_errname(r.code));
 *
 * Suspends: maybe
 * Cancel:   checkpoint of the scope around the group
 * Threads:  owner */
int edo_group_next(edo_group *g, edo_result *out);

/* edo_group_next_nowait - the same without waiting.
 * Returns 1; 0 when no child is left; -EAGAIN when none has ended, or in an ordered group the first
 * in line has not.
 *
 *     edo_result r;
 *     while (edo_group_next_nowait(&g, &r) == 1)
 *         printf("%s ended with %s\n", r.name, edo_errname(r.code));
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  owner */
EDO_MUST_CHECK int edo_group_next_nowait(edo_group *g, edo_result *out);

/* edo_group_wait - waits until no child is left alive; the group stays open, its results are kept,
 * and more children may be spawned.
 * Returns 0, or -ECANCELED when the scope around the group is cancelled.
 *
 *     rc = edo_group_wait(&g);
 *
 * Suspends: maybe
 * Cancel:   checkpoint of the scope around the group
 * Threads:  owner */
EDO_MUST_CHECK int edo_group_wait(edo_group *g);

/* edo_group_len - children that are alive at this moment.
 * @g: stays open during the call.
 *
 *     size_t connections = edo_group_len(&g);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
size_t edo_group_len(edo_group *g);

/* edo_group_cancel_one - cancels one child and all it has started; the others go on. The -ECANCELED
 * it then returns is reported as its result, but is no failure of the group.
 * @g: stays open during the call.
 * @id: from edo_spawn_with(); any other child of the group has no scope of its own (-ENOTSUP) unless
 * it has a key or its group is ordered.
 * Returns 0, -ESRCH when no such child is alive, or -ENOTSUP.
 *
 *     rc = edo_group_cancel_one(&g, id);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_group_cancel_one(edo_group *g, uint64_t id);

/* edo_group_cancel_key - the same for all children with that key. Looks through all live children:
 * where there are many of them the id is found faster.
 * Returns how many were cancelled, or -ESRCH.
 *
 *     rc = edo_group_cancel_key(&g, 42);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_group_cancel_key(edo_group *g, uint64_t key);

/* edo_group_cancel - cancels the group's body and all its children.
 * @g: open when this is called; its owner may close it meanwhile.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_group_cancel(edo_group *g);

/* edo_spawn - starts fn(arg) as a child of the group.
 * Returns 0; -ECANCELED when the group or the caller's scope is cancelled (nothing was started);
 * -ENOMEM.
 *
 * Suspends: maybe (with a limit on live children, until there is room; and every 128 spawns, to let
 *           others run)
 * Cancel:   checkpoint
 * Threads:  any that is done with it before the group is closed: the owner, its children, a thread
 *           that the owner joins; the child runs on the group's runtime */
EDO_MUST_CHECK int edo_spawn(edo_group *g, edo_fn *fn, void *arg);

/* edo_spawn_copy - the same, and the task gets a copy of its own of size bytes at args.
 * @size: up to 40 bytes are stored in the task itself, more are allocated; 1 MiB at most (-E2BIG).
 *
 *     struct job job = { .from = i, .to = i + 10 };
 *     rc = edo_spawn_copy(&g, run_job, &job, sizeof job);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  task */
EDO_MUST_CHECK int edo_spawn_copy(edo_group *g, edo_fn *fn, const void *args, size_t size);

/* edo_spawn_with - the same with options.
 * @options: copied; NULL: defaults.
 * @id: the child's id, or NULL.
 *
 *     uint64_t id;
 *     rc = edo_spawn_with(&g, &(edo_task_options){ .name = "fetch" }, &id, fetch, url);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  task */
EDO_MUST_CHECK int edo_spawn_with(edo_group *g, const edo_task_options *options, uint64_t *id,
                                  edo_fn *fn, void *arg);

/* edo_spawn_keyed - the same, and the child has a key: its result has it in edo_result.key, and
 * edo_group_cancel_key() finds the child by it. The group does not care whether others have the same.
 *
 *     for (uint64_t i = 0; i < n; i++)
 *         rc = edo_spawn_keyed(&g, i, fetch, urls[i]);
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  as edo_spawn() */
EDO_MUST_CHECK int edo_spawn_keyed(edo_group *g, uint64_t key, edo_fn *fn, void *arg);

/* edo_spawn_detached - starts a task that nobody waits for, under the runtime's root group: it is
 * cancelled when the runtime shuts down. It must not point into any other task's frame.
 * Returns 0, -ENOMEM, -ESHUTDOWN, or -EPERM outside of a task (see edo_runtime_spawn()).
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  task */
EDO_MUST_CHECK int edo_spawn_detached(edo_fn *fn, void *arg);

/* edo_scope_open - opens a scope with a deadline around what follows.
 * @s: caller's storage, until edo_scope_close().
 * @after: nanoseconds from now; EDO_FOREVER: none. Zero or less: passed already.
 * Returns 0.
 *
 *     edo_scope s;
 *     edo_scope_open(&s, EDO_SEC(2));
 *     rc = edo_chan_recv(c, &v);
 *     rc = edo_scope_close(&s, rc);         // -ETIMEDOUT after two seconds
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any (a scope belongs to the task or thread that opened it) */
int edo_scope_open(edo_scope *s, int64_t after);

/* edo_scope_open_at - the same with an instant of edo_now().
 * Returns 0.
 *
 *     edo_scope s;
 *     edo_scope_open_at(&s, lease->ends);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_scope_open_at(edo_scope *s, int64_t instant);

/* edo_scope_set_deadline - gives an open scope another deadline of its own, also when the present one
 * has passed: what is outside of it counts as before.
 * @s: the innermost one of the caller, and no group: scopes inside have taken its deadline over when
 * they were opened.
 * @instant: of edo_now(); EDO_FOREVER: none.
 *
 *     edo_scope s;
 *     edo_scope_open(&s, EDO_SEC(30));                   // idle for 30 s at most
 *     while ((n = edo_read(stream, buf, sizeof buf)) > 0)
 *         edo_scope_set_deadline(&s, edo_now() + EDO_SEC(30));
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  owner */
void edo_scope_set_deadline(edo_scope *s, int64_t instant);

/* edo_deadline - the instant at which the caller's suspending calls will be cancelled: the earliest
 * deadline of its scopes and those around it, up to a shield. EDO_FOREVER: none.
 *
 *     bool in_time = edo_deadline() > lease->ends;
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int64_t edo_deadline(void);

/* edo_time_left - the time until then: 0 when it has passed, EDO_FOREVER without a deadline.
 *
 *     if (edo_time_left() < EDO_MS(50))
 *         use_defaults();
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int64_t edo_time_left(void);

/* edo_scope_open_token - the same as edo_scope_open(), and the scope is cancelled with the token as
 * well.
 * @t: a reference is held until the scope is closed.
 * Returns 0.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_scope_open_token(edo_scope *s, edo_token *t, int64_t after);

/* edo_shield_open - opens a scope that keeps out what cancels the scopes around it: for cleanup
 * that has to wait. Bounded by its own deadline.
 * @grace: nanoseconds from now; EDO_FOREVER: none (then cleanup must be sure to end).
 *
 *     edo_scope s;
 *     edo_shield_open(&s, EDO_MS(500));
 *     rc = say_goodbye(stream);
 *     rc = edo_scope_close(&s, rc);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
int edo_shield_open(edo_scope *s, int64_t grace);

/* edo_scope_close - closes the innermost open scope.
 * @rc: the result of the work inside.
 * Returns rc, but -ETIMEDOUT when rc is -ECANCELED and this scope's own deadline is the cause; and
 * -ECANCELED when rc is 0 and edo_scope_cancel() was called on this scope. A positive rc (a count
 * of bytes, say) is never changed: what was done is reported.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  owner */
int edo_scope_close(edo_scope *s, int rc);

/* edo_scope_cancel - cancels the scope and everything inside it. Scopes around it are untouched.
 * @s: open when this is called; its owner may close it meanwhile.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_scope_cancel(edo_scope *s);

/* edo_with_timeout - fn(arg) within a scope of its own, on the caller's stack.
 * Returns what fn returned; -ETIMEDOUT when the deadline stopped it.
 *
 *     rc = edo_with_timeout(EDO_SEC(1), handshake, conn);
 *
 * Suspends: maybe (as fn does)
 * Cancel:   as fn does
 * Threads:  any */
int edo_with_timeout(int64_t after, edo_fn *fn, void *arg);

/* edo_with_deadline - the same with an instant of edo_now().
 *
 *     rc = edo_with_deadline(lease->ends, fetch, url);
 *
 * Suspends: maybe (as fn does)
 * Cancel:   as fn does
 * Threads:  any */
int edo_with_deadline(int64_t instant, edo_fn *fn, void *arg);

/* edo_token_create - a counted handle that cancels from anywhere: scopes opened with it and tokens
 * created under it follow it.
 * @out: one reference, given back with edo_token_release().
 * Returns 0 or -ENOMEM.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_token_create(edo_token **out);

/* edo_token_child - a token that is cancelled with its parent; cancelling it leaves the parent
 * alone.
 * Returns 0 or -ENOMEM.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_token_child(edo_token *parent, edo_token **out);

/* edo_token_ref - one reference more. Returns t.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
edo_token *edo_token_ref(edo_token *t);

/* edo_token_cancel - cancels it, its children and every scope opened with one of them. Idempotent.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_token_cancel(edo_token *t);

/* edo_token_cancelled - whether it is.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
bool edo_token_cancelled(const edo_token *t);

/* edo_token_wait - waits until the token is cancelled.
 * Returns 0, or -ECANCELED when the caller's scope was cancelled first.
 *
 * Suspends: maybe
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_token_wait(edo_token *t);

/* edo_token_run - fn(arg) in a scope of its own that is cancelled with the token, on the caller's
 * stack.
 * Returns what fn returned; but -ECANCELED instead of 0 when the token was cancelled meanwhile.
 *
 *     rc = edo_token_run(token, fetch, url);
 *
 * Suspends: maybe (as fn does)
 * Cancel:   as fn does
 * Threads:  any */
int edo_token_run(edo_token *t, edo_fn *fn, void *arg);

/* edo_token_release - gives a reference back; the last one frees it. NULL is allowed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_token_release(edo_token *t);

/* edo_yield - lets other runnable tasks run first.
 * Returns 0, or -ECANCELED.
 *
 * Suspends: maybe (when another task is runnable)
 * Cancel:   checkpoint
 * Threads:  any (a foreign thread calls sched_yield) */
int edo_yield(void);

/* edo_checkpoint - asks whether the innermost scope is cancelled or past its deadline.
 * Returns 0, or -ECANCELED.
 *
 *     while (edo_checkpoint() == 0)
 *         crunch(&state);
 *
 * Suspends: never
 * Cancel:   checkpoint
 * Threads:  any */
int edo_checkpoint(void);

/* edo_task_id - a number no other task of this process has or had; 0 outside of tasks.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
uint64_t edo_task_id(void);

/* edo_task_name - the calling task's name, "" when it has none or outside of tasks.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
const char *edo_task_name(void);

/* edo_task_pin - keeps the calling task on its present worker thread, for code that relies on
 * thread-local state across a suspension. Counted: each true needs its false.
 * Returns 0, or -EPERM outside of a task.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  task */
int edo_task_pin(bool on);

/* A task-local variable: a static object, one per variable. Not inherited by children. The
 * destructor runs in the ending task with its value, if that is not NULL. */
typedef struct edo_local {
    void (*edo__destroy)(void *value);
    uint32_t edo__id; /* given out at first use */
} edo_local;

#define EDO_LOCAL_INIT(destructor)                                                                 \
    {                                                                                              \
        (destructor), 0                                                                            \
    }

/* edo_local_get - the calling task's value of the variable, NULL before it was set.
 *
 *     static edo_local request = EDO_LOCAL_INIT(request_free);
 *     struct request *r = edo_local_get(&request);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  task (NULL elsewhere) */
void *edo_local_get(edo_local *key);

/* edo_local_set - sets it; the old value is not destroyed.
 * Returns 0, -ENOMEM, or -EPERM outside of a task.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  task */
EDO_MUST_CHECK int edo_local_set(edo_local *key, void *value);

/* edo_local_with - fn(arg) with the variable set to a value, which stays the caller's: afterwards the
 * variable has its former value again, whatever fn has set.
 * Returns what fn returned; -ENOMEM, or -EPERM outside of a task: then fn was not called.
 *
 *     static edo_local tenant = EDO_LOCAL_INIT(NULL);
 *     rc = edo_local_with(&tenant, url, fetch, url);
 *
 * Suspends: maybe (as fn does)
 * Cancel:   as fn does
 * Threads:  task */
EDO_MUST_CHECK int edo_local_with(edo_local *key, void *value, edo_fn *fn, void *arg);

/* The spawning calls again, with the place of the call: what the macros below expand to. They are
 * variadic because a compound literal among the arguments has commas of its own. */
EDO_MUST_CHECK int edo__spawn_at(edo_group *g, edo_fn *fn, void *arg, const char *site);
EDO_MUST_CHECK int edo__spawn_with_at(edo_group *g, const edo_task_options *options, uint64_t *id,
                                      edo_fn *fn, void *arg, const char *site);
EDO_MUST_CHECK int edo__spawn_keyed_at(edo_group *g, uint64_t key, edo_fn *fn, void *arg,
                                       const char *site);
EDO_MUST_CHECK int edo__spawn_copy_at(edo_group *g, edo_fn *fn, const void *args, size_t size,
                                      const char *site);
EDO_MUST_CHECK int edo__spawn_detached_at(edo_fn *fn, void *arg, const char *site);

#define edo_spawn(...) edo__spawn_at(__VA_ARGS__, EDO__HERE)
#define edo_spawn_with(...) edo__spawn_with_at(__VA_ARGS__, EDO__HERE)
#define edo_spawn_keyed(...) edo__spawn_keyed_at(__VA_ARGS__, EDO__HERE)
#define edo_spawn_copy(...) edo__spawn_copy_at(__VA_ARGS__, EDO__HERE)
#define edo_spawn_detached(...) edo__spawn_detached_at(__VA_ARGS__, EDO__HERE)

#ifdef __cplusplus
}
#endif
#endif
