/* A control loop of 1 kHz as a plain thread, after cyclictest: how late it is, in nanoseconds.
 *
 *   cyclic sleep|spin PRIORITY SECONDS LOAD_PERCENT
 *
 * `sleep` waits by clock_nanosleep to an absolute moment, `spin` reads the clock until it has come. With a
 * priority above zero the loop's thread runs in real time (SCHED_FIFO). Beside it, the same
 * load as in the other programs, by threads: two compute for their share of each 10 ms, four connections talk. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const int64_t SECOND = 1000000000, PERIOD = 1000000, ROUND = 10000000;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * SECOND + t.tv_nsec;
}

static void sleep_until(int64_t moment) {
    struct timespec t = {moment / SECOND, moment % SECOND};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0) {
    }
}

static void *computes(void *share) {
    for (;;) {
        int64_t begin = now();
        while (now() - begin < *(int64_t *)share) {
            volatile uint64_t sum = 1;
            for (uint64_t step = 0; step < 4096; step++)
                sum = (sum * 0x9e3779b97f4a7c15u) ^ step;
        }
        sleep_until(begin + ROUND);
    }
    return NULL;
}

static void *asks(void *stream) {
    char bytes[64] = {0};
    int fd = *(int *)stream;
    while (write(fd, bytes, sizeof bytes) > 0 && read(fd, bytes, sizeof bytes) > 0)
        sleep_until(now() + PERIOD);
    return NULL;
}

static void *answers(void *stream) {
    char bytes[64];
    int fd = *(int *)stream;
    ssize_t count;
    while ((count = read(fd, bytes, sizeof bytes)) > 0 && write(fd, bytes, count) > 0) {
    }
    return NULL;
}

static void check(int failed, const char *what) {
    if (failed) {
        perror(what);
        exit(1);
    }
}

static void start(void *(*body)(void *), void *argument) {
    pthread_t thread;
    check(pthread_create(&thread, NULL, body, argument) != 0, "pthread_create");
}

static void begin_load(int percent) {
    static int64_t share;
    static int ends[8];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    check(listener < 0 || bind(listener, (void *)&address, len) || listen(listener, 4), "listen");
    check(getsockname(listener, (void *)&address, &len), "getsockname");
    for (int i = 0; i < 8; i += 2) {
        ends[i] = socket(AF_INET, SOCK_STREAM, 0);
        check(connect(ends[i], (void *)&address, len), "connect");
        ends[i + 1] = accept(listener, NULL, NULL);
        check(ends[i + 1] < 0, "accept");
        start(asks, &ends[i]);
        start(answers, &ends[i + 1]);
    }
    share = ROUND * percent / 100 / 2;
    for (int i = 0; i < 2; i++)
        start(computes, &share);
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: cyclic sleep|spin PRIORITY SECONDS LOAD_PERCENT\n");
        return 2;
    }
    int spins = strcmp(argv[1], "spin") == 0;
    long ticks = atof(argv[3]) * (double)(SECOND / PERIOD), taken = 0;
    int64_t *late = calloc(ticks, sizeof *late);
    check(late == NULL, "calloc");
    if (atoi(argv[4]) > 0)
        begin_load(atoi(argv[4]));
    struct sched_param param = {.sched_priority = atoi(argv[2])};
    if (param.sched_priority > 0)
        check(sched_setscheduler(0, SCHED_FIFO, &param), "sched_setscheduler");
    int64_t due = now() + PERIOD;
    while (taken < ticks) {
        if (spins) {
            while (now() < due) {
            }
        } else {
            sleep_until(due);
        }
        int64_t seen = now();
        late[taken++] = seen - due;
        due += PERIOD * ((seen - due) / PERIOD + 1);
    }
    qsort(late, ticks, sizeof *late, compare);
    printf("%lld %lld %lld %lld\n", (long long)late[ticks / 2], (long long)late[ticks * 99 / 100],
           (long long)late[ticks * 999 / 1000], (long long)late[ticks - 1]);
    return 0;
}
