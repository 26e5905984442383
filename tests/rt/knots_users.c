/* SPDX-License-Identifier: MIT */
/* edo_dump() knows who uses a channel, in whatever way they do, and what a select waits for; and who
 * runs the function of a once. */
#include "knots.h"

/* ---- two tasks, a mutex and a channel ---- */

enum { RECV, SEND, RESERVE }; /* what the asker waits for, with a mutex that the teller wants */

enum { /* how the teller has used the other side */
       WAITING,
       NOWAIT,
       MANY,
       MANY_NOWAIT,
       SELECT,
       SELECT_NOWAIT,
       PERMIT,
       PERMIT_NOWAIT,
       WAYS,
};

enum { PLAIN, SEVERAL, SELECTED }; /* in which way the asker waits */

typedef struct pair {
    int kind, way, form;
    bool permit_out; /* whoever has it might use it: not named */
    bool others;     /* a select with a case that anybody could make happen: not named */
    edo_mutex m;
    edo_chan *c;
    edo_permit permit;
    edo_event event;
    unsigned step;
    int out[2], in[2];
} pair;

static const pair rows[] = {
    { RECV, WAITING, SELECTED, .step = 0 },
    { RECV, NOWAIT, PLAIN, .step = 0 },
    { RECV, MANY, PLAIN, .step = 0 },
    { RECV, MANY_NOWAIT, SEVERAL, .step = 0 },
    { RECV, SELECT, PLAIN, .step = 0 },
    { RECV, SELECT_NOWAIT, SELECTED, .step = 0 },
    { RECV, PERMIT, PLAIN, .step = 0 },
    { RECV, PERMIT_NOWAIT, SELECTED, .step = 0 },
    { SEND, WAITING, SELECTED, .step = 0 },
    { SEND, NOWAIT, PLAIN, .step = 0 },
    { SEND, MANY, SEVERAL, .step = 0 },
    { SEND, MANY_NOWAIT, PLAIN, .step = 0 },
    { RESERVE, WAITING, PLAIN, .step = 0 },
    { RESERVE, SELECT, SELECTED, .step = 0 },
    { RESERVE, SELECT_NOWAIT, SEVERAL, .step = 0 },
    { RECV, NOWAIT, PLAIN, .permit_out = true },
    { SEND, NOWAIT, SELECTED, .permit_out = true },
    { RECV, NOWAIT, SELECTED, .others = true },
};

#define ROWS (sizeof rows / sizeof *rows)

typedef struct pairs {
    scene s;
    bool calm;
    pair all[ROWS];
} pairs;

static bool is_named(const pair *p)
{
    return !p->permit_out && !p->others;
}

static void tell(pair *p)
{
    edo_case c[] = { EDO_SEND(p->c, p->out), EDO_AFTER(EDO_SEC(60)) };
    switch (p->way) {
    case WAITING: CHECK_OK(edo_chan_send(p->c, p->out)); break;
    case NOWAIT: CHECK_OK(edo_chan_send_nowait(p->c, p->out)); break;
    case MANY: CHECK_INT(edo_chan_send_many(p->c, p->out, 1), ==, 1); break;
    case MANY_NOWAIT: CHECK_INT(edo_chan_send_many_nowait(p->c, p->out, 1), ==, 1); break;
    case SELECT: CHECK_INT(edo_select(c, 2), ==, 0); break;
    case SELECT_NOWAIT: CHECK_INT(edo_select_nowait(c, 2), ==, 0); break;
    case PERMIT: CHECK_OK(edo_chan_reserve(p->c, &p->permit)); break;
    default: CHECK_OK(edo_chan_reserve_nowait(p->c, &p->permit));
    }
    if (p->way >= PERMIT)
        edo_permit_send(&p->permit, p->out);
}

static void hear(pair *p)
{
    edo_case c[] = { EDO_RECV(p->c, p->in), EDO_AFTER(EDO_SEC(60)) };
    switch (p->way) {
    case WAITING: CHECK_OK(edo_chan_recv(p->c, p->in)); break;
    case NOWAIT: CHECK_OK(edo_chan_recv_nowait(p->c, p->in)); break;
    case MANY: CHECK_INT(edo_chan_recv_many(p->c, p->in, 1), ==, 1); break;
    case MANY_NOWAIT: CHECK_INT(edo_chan_recv_many_nowait(p->c, p->in, 1), ==, 1); break;
    case SELECT: CHECK_INT(edo_select(c, 2), ==, 0); break;
    default: CHECK_INT(edo_select_nowait(c, 2), ==, 0);
    }
}

/* Until it is cancelled. */
static int ask(pair *p)
{
    edo_case c[2] = { EDO_RECV(p->c, p->in) };
    if (p->kind == SEND)
        c[0] = (edo_case)EDO_SEND(p->c, p->out);
    if (p->kind == RESERVE)
        c[0] = (edo_case)EDO_RESERVE(p->c, &p->permit);
    if (p->others)
        c[1] = (edo_case)EDO_EVENT(&p->event);
    if (p->form == SELECTED)
        return edo_select(c, 2);
    bool several = p->form == SEVERAL;
    switch (p->kind) {
    case RECV: return several ? edo_chan_recv_many(p->c, p->in, 2) : edo_chan_recv(p->c, p->in);
    case SEND: return several ? edo_chan_send_many(p->c, p->out, 2) : edo_chan_send(p->c, p->out);
    default:
        return several ? edo_chan_reserve_many(p->c, 2, &p->permit)
                       : edo_chan_reserve(p->c, &p->permit);
    }
}

static int asker(void *arg)
{
    pair *p = arg;
    if (p->kind != RECV)
        CHECK_OK(edo_chan_send_nowait(p->c, p->out));
    ADD(&p->step, 1);
    until(&p->step, 2);
    if (p->permit_out)
        CHECK_OK(edo_chan_reserve_nowait(p->c, &p->permit));
    if (p->kind == RECV)
        CHECK_OK(edo_chan_recv_nowait(p->c, p->in));
    while (p->kind != RECV && edo_chan_send_nowait(p->c, p->out) == 0)
        continue;
    CHECK_OK(edo_mutex_lock(&p->m));
    ADD(&p->step, 1);
    int rc = ask(p);
    edo_mutex_unlock(&p->m);
    edo_permit_release(&p->permit);
    return rc;
}

static int teller(void *arg)
{
    pair *p = arg;
    until(&p->step, 1);
    if (p->kind == RECV)
        tell(p);
    else
        hear(p);
    ADD(&p->step, 1);
    until(&p->step, 3);
    int rc = edo_mutex_lock(&p->m); /* ... and then it would again */
    if (rc == 0)
        edo_mutex_unlock(&p->m);
    return rc;
}

static void spawn_pair(edo_group *g, pair *p, size_t i)
{
    char names[2][16];
    edo_mutex_init(&p->m);
    edo_event_init(&p->event, EDO_EVENT_MANUAL);
    CHECK_OK(edo_chan_create(&p->c, sizeof(int), 2));
    snprintf(names[0], sizeof names[0], "asker-%zu", i);
    snprintf(names[1], sizeof names[1], "teller-%zu", i);
    CHECK_OK(edo_spawn_with(g, &(edo_task_options){ .name = names[0] }, NULL, asker, p));
    CHECK_OK(edo_spawn_with(g, &(edo_task_options){ .name = names[1] }, NULL, teller, p));
}

static int all_pairs(void *arg)
{
    pairs *all = (pairs *)arg; /* the scene is its first member */
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    if (!all->calm)
        spawn(&g, "busy", busy, &all->s);
    memcpy(all->all, rows, sizeof rows);
    for (size_t i = 0; i < ROWS; i++)
        spawn_pair(&g, &all->all[i], i);
    int rc = edo_group_close(&g);
    for (size_t i = 0; i < ROWS; i++)
        edo_chan_unref(all->all[i].c);
    return rc;
}

/* The line of a knot in which the task waits; NULL: it is in none. */
static const char *knot_line(const char *text, const char *name, size_t i)
{
    char member[64];
    snprintf(member, sizeof member, "\"%s-%zu\" waits for ", name, i);
    const char *line = strstr(text, member);
    if (line == NULL) {
        snprintf(member, sizeof member, "\"%s-%zu\", which waits for ", name, i);
        line = strstr(text, member);
    }
    return line;
}

static bool all_named(const char *text)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (is_named(&rows[i]) && knot_line(text, "asker", i) == NULL)
            return false;
    }
    return true;
}

static char *dump_of_pairs(edo_runtime *rt)
{
    for (;;) {
        char *text = dump_text(rt);
        if (all_named(text))
            return text;
        free(text);
        sched_yield();
    }
}

static void check_pairs(const char *text, bool calm)
{
    for (size_t i = 0; i < ROWS; i++) {
        const char *asks = knot_line(text, "asker", i), *waits = knot_line(text, "teller", i);
        if (!is_named(&rows[i])) {
            CHECK(calm || (asks == NULL && waits == NULL));
            continue;
        }
        CHECK(waits != NULL);
        CHECK_INT(strncmp(strstr(waits, "waits for "), "waits for mutex ", 16), ==, 0);
        const char *by = rows[i].form == SELECTED ? "on the other side"
                         : rows[i].kind == RECV   ? "sent to by"
                                                  : "received from by";
        const char *said = strstr(asks, by);
        CHECK(said != NULL && said < strchr(asks, '\n'));
    }
}

TEST_TIMEOUT(whoever_used_a_channel_in_whatever_way, 60)
{
    for (int calm = 0; calm < 2; calm++) {
        pairs *all = calloc(1, sizeof *all);
        scene_open(&all->s, 2, NULL);
        all->calm = calm;
        CHECK_OK(edo_runtime_spawn(all->s.rt, all_pairs, all));
        char *text = dump_of_pairs(all->s.rt);
        check_pairs(text, calm);
        check_says(text, calm ? "\ndeadlock of 2 tasks:\n" : "\nlikely deadlock of 2 tasks");
        if (!calm)
            CHECK(strstr(text, "\ndeadlock of") == NULL);
        free(text);
        scene_close(&all->s);
        free(all);
    }
}

/* ---- a once that is run again by its function's child ---- */

static edo_once once = EDO_ONCE_INIT;

static int initialise(void *arg);

static int needs_it(void *arg)
{
    return edo_once_run(&once, initialise, arg);
}

static int initialise(void *arg)
{
    scene *s = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    spawn(&g, "helper", needs_it, s);
    return edo_group_close(&g);
}

static int run_once(void *arg)
{
    scene *s = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    spawn(&g, "busy", busy, s);
    spawn(&g, "initialiser", needs_it, s);
    return edo_group_close(&g);
}

TEST(a_once_is_entered_again_by_a_child_of_its_function)
{
    EACH_WORKERS(w)
    {
        edo_once_init(&once);
        scene s;
        scene_open(&s, w, run_once);
        char *text = dump_until(s.rt, "deadlock");
        const char *const names[] = { "helper", "initialiser" };
        check_cycle(text, "\ndeadlock of 2 tasks:\n", names, 2);
        check_says(text, " run by\n");
        check_says(text, "    runs once ");
        free(text);
        scene_close(&s);
        CHECK(!edo_once_done(&once));
    }
}

TEST_MAIN()
