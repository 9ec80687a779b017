/* libuv: the echo server of its documentation, timers, wakes across threads, file reads. It has no tasks. */
#define _GNU_SOURCE
#include "support.h"
#include <fcntl.h>
#include <sched.h>
#include <semaphore.h>
#include <unistd.h>
#include <uv.h>

/* --- echo --- */

static size_t buffer_bytes;

struct connection {
    uv_tcp_t tcp;
    uv_write_t write;
    char bytes[];
};

static void closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void give_buffer(uv_handle_t *handle, size_t wished, uv_buf_t *buffer)
{
    struct connection *c = handle->data;
    (void)wished;
    *buffer = uv_buf_init(c->bytes, (unsigned)buffer_bytes);
}

static void got(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer);

static void written(uv_write_t *write, int status)
{
    struct connection *c = write->data;
    if (status < 0)
        uv_close((uv_handle_t *)&c->tcp, closed);
    else
        uv_read_start((uv_stream_t *)&c->tcp, give_buffer, got);
}

/* The buffer is the connection's only one: nothing is read while it is written. */
static void got(uv_stream_t *stream, ssize_t count, const uv_buf_t *buffer)
{
    struct connection *c = stream->data;
    if (count < 0) {
        uv_close((uv_handle_t *)stream, closed);
    } else if (count > 0) {
        uv_buf_t out = uv_buf_init(buffer->base, (unsigned)count);
        int sent = uv_try_write(stream, &out, 1);
        if (sent == count)
            return;
        if (sent < 0)
            sent = 0;
        out = uv_buf_init(buffer->base + sent, (unsigned)(count - sent));
        uv_read_stop(stream);
        c->write.data = c;
        uv_write(&c->write, stream, &out, 1, written);
    }
}

static void connected(uv_stream_t *listener, int status)
{
    if (status < 0)
        exit(2);
    struct connection *c = check(malloc(sizeof *c + buffer_bytes));
    uv_tcp_init(listener->loop, &c->tcp);
    c->tcp.data = c;
    uv_accept(listener, (uv_stream_t *)&c->tcp);
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, give_buffer, got);
}

static void serve(size_t size)
{
    uv_tcp_t listener;
    struct sockaddr_in address;
    int length = sizeof address;
    buffer_bytes = size;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(uv_default_loop(), &listener);
    if (uv_tcp_bind(&listener, (struct sockaddr *)&address, 0) || uv_listen((uv_stream_t *)&listener, 1024, connected))
        exit(2);
    uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &length);
    printf("ready %d\n", ntohs(address.sin_port));
    fflush(stdout);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

/* --- timers --- */

static uint64_t timers_fired, timers_closed;

static void fired(uv_timer_t *timer)
{
    (void)timer;
    timers_fired++;
}

static void timer_closed(uv_handle_t *timer)
{
    (void)timer;
    timers_closed++;
}

static void start_all(uv_timer_t *timers, uint64_t items, uint64_t base, uint64_t spread)
{
    for (uint64_t i = 0; i < items; i++) {
        uv_timer_init(uv_default_loop(), &timers[i]);
        uv_timer_start(&timers[i], fired, base + i % spread, 0);
    }
}

/* Closed, and the loop has told so: only then may a handle be used anew. */
static void close_all(uv_timer_t *timers, uint64_t items)
{
    timers_closed = 0;
    for (uint64_t i = 0; i < items; i++)
        uv_close((uv_handle_t *)&timers[i], timer_closed);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    if (timers_closed != items)
        exit(2);
}

/* After libuv's own test/benchmark-million-timers.c. */
static void timers(uint64_t items)
{
    uv_timer_t *all = check(calloc(items, sizeof *all));
    uv_update_time(uv_default_loop());
    struct begun b = begin();
    start_all(all, items, 60000, 60000);
    end(b, "timer-insert", items);
    b = begin();
    close_all(all, items);
    end(b, "timer-cancel", items);
    uv_update_time(uv_default_loop());
    b = begin();
    start_all(all, items, 200, 100);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    end(b, "timer-fire", items);
    if (timers_fired != items)
        exit(2);
}

/* --- wakes --- */

static uint64_t wakes_left;
static sem_t answered;

static void bind_to(long processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void woken(uv_async_t *async)
{
    if (!--wakes_left)
        uv_close((uv_handle_t *)async, NULL);
    sem_post(&answered);
}

static void wake(void *argument)
{
    uv_async_t *async = argument;
    bind_to(sysconf(_SC_NPROCESSORS_ONLN) - 1);
    for (uint64_t i = (uint64_t)(uintptr_t)async->data; i > 0; i--) {
        uv_async_send(async);
        while (sem_wait(&answered))
            ;
    }
}

static void wake_times(uint64_t items)
{
    uv_async_t async;
    uv_thread_t thread;
    wakes_left = items;
    uv_async_init(uv_default_loop(), &async, woken);
    async.data = (void *)(uintptr_t)items;
    uv_thread_create(&thread, wake, &async);
    bind_to(0);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    uv_thread_join(&thread);
}

/* --- files --- */

enum { IN_FLIGHT = 32, BLOCK = 4096 };

static struct { uv_fs_t request; char bytes[BLOCK]; } reads[IN_FLIGHT];
static uint64_t reads_begun, reads_all, blocks, state = 1;
static uv_file file;

static void read_next(uv_fs_t *request);

static void read_done(uv_fs_t *request)
{
    if (request->result != BLOCK)
        exit(2);
    uv_fs_req_cleanup(request);
    read_next(request);
}

static void read_next(uv_fs_t *request)
{
    if (reads_begun++ >= reads_all)
        return;
    state = state * 6364136223846793005u + 1442695040888963407u;
    uv_buf_t buffer = uv_buf_init(reads[(uintptr_t)request->data].bytes, BLOCK);
    int64_t offset = (int64_t)((state >> 33) % blocks * BLOCK);
    uv_fs_read(uv_default_loop(), request, file, &buffer, 1, offset, read_done);
}

static void read_times(uint64_t items)
{
    reads_begun = 0;
    reads_all = items;
    for (uintptr_t i = 0; i < IN_FLIGHT; i++) {
        reads[i].request.data = (void *)i;
        read_next(&reads[i].request);
    }
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

static void open_file(const char *path)
{
    file = open(path, O_RDONLY);
    off_t length = lseek(file, 0, SEEK_END);
    if (length < BLOCK) {
        perror(path);
        exit(2);
    }
    blocks = (uint64_t)length / BLOCK;
}

int main(int argc, char **argv)
{
    void (*work)(uint64_t) = wake_times;
    if (argc < 2 || is(argv, "list"))
        return puts("timers\nwake-threads\nfile-reads\necho\nidle") < 0;
    if (is(argv, "echo"))
        serve(number(argc, argv, "buffer"));
    else if (is(argv, "idle"))
        serve(64);
    uint64_t items = number(argc, argv, "items");
    if (is(argv, "timers")) {
        timers(items);
        return 0;
    }
    if (is(argv, "file-reads")) {
        open_file(value(argc, argv, "file"));
        work = read_times;
    }
    work(items / 10);
    struct begun b = begin();
    work(items);
    end(b, argv[1], items);
}
