/* The queue of the original note: one task pushes 1, 2, 3 for ever, the other reads. Both are written by hand, a
   state each, and run on the executor of unboxed as foreign bodies. */

typedef struct ubx_context {
    const void *task;
    void (*wake)(const void *task);
} ubx_context;

typedef struct ubx_body {
    void *state;
    int (*poll)(void *state, const ubx_context *cx);
    int (*drop)(void *state);
    void (*release)(void *state);
} ubx_body;

enum { UBX_PENDING = 0, UBX_DONE = 1 };

/* A queue of one, with those who wait on either side. */
struct queue {
    int full, value;
    ubx_context pusher, reader;
};

static int queue_push(struct queue *q, int value, const ubx_context *cx) {
    if (q->full) {
        q->pusher = *cx;
        return UBX_PENDING;
    }
    q->full = 1;
    q->value = value;
    if (q->reader.wake) {
        q->reader.wake(q->reader.task);
    }
    return UBX_DONE;
}

static int queue_read(struct queue *q, int *value, const ubx_context *cx) {
    if (!q->full) {
        q->reader = *cx;
        return UBX_PENDING;
    }
    q->full = 0;
    *value = q->value;
    if (q->pusher.wake) {
        q->pusher.wake(q->pusher.task);
    }
    return UBX_DONE;
}

static struct queue queue;

struct pusher {
    ubx_body body;
    int state, drops, released;
};

/* Three states, as in the note: push 1, push 2, push 3, and again. */
static int pusher_poll(void *state, const ubx_context *cx) {
    struct pusher *self = state;
    for (;;) {
        if (queue_push(&queue, self->state + 1, cx) == UBX_PENDING) {
            return UBX_PENDING;
        }
        self->state = (self->state + 1) % 3;
    }
}

/* It does not stop at once: the executor has to ask three times. */
static int pusher_drop(void *state) {
    struct pusher *self = state;
    self->drops++;
    if (self->drops < 3) {
        return UBX_PENDING;
    }
    return UBX_DONE;
}

static void pusher_release(void *state) {
    ((struct pusher *)state)->released++;
}

struct reader {
    ubx_body body;
    int count, wanted, sum, wrong, released;
};

/* One state: read, until there is enough. */
static int reader_poll(void *state, const ubx_context *cx) {
    struct reader *self = state;
    int value;
    while (self->count < self->wanted) {
        if (queue_read(&queue, &value, cx) == UBX_PENDING) {
            return UBX_PENDING;
        }
        self->wrong += value != self->count % 3 + 1;
        self->sum += value;
        self->count++;
    }
    return UBX_DONE;
}

static int reader_drop(void *state) {
    (void)state;
    return UBX_DONE;
}

static void reader_release(void *state) {
    ((struct reader *)state)->released++;
}

struct pusher the_pusher = {{&the_pusher, pusher_poll, pusher_drop, pusher_release}, 0, 0, 0};
struct reader the_reader = {{&the_reader, reader_poll, reader_drop, reader_release}, 0, 3000, 0, 0, 0};
