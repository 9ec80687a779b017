/* What the C peers share: their command line, and the line of figures that the harness reads. */
#ifndef PEER_SUPPORT_H
#define PEER_SUPPORT_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

struct begun { uint64_t wall, cpu, user; };

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline uint64_t user_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)u.ru_utime.tv_sec * 1000000u + (uint64_t)u.ru_utime.tv_usec;
}

static inline struct begun begin(void)
{
    return (struct begun){ clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_PROCESS_CPUTIME_ID), user_us() };
}

static inline void end(struct begun b, const char *row, uint64_t items)
{
    printf("figure %s items %llu wall_ns %llu cpu_ns %llu user_us %llu\n", row, (unsigned long long)items,
           (unsigned long long)(clock_ns(CLOCK_MONOTONIC) - b.wall),
           (unsigned long long)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - b.cpu),
           (unsigned long long)(user_us() - b.user));
}

/* The value of key=..., or ends the program. */
static inline const char *value(int argc, char **argv, const char *key)
{
    size_t length = strlen(key);
    for (int i = 2; i < argc; i++)
        if (!strncmp(argv[i], key, length) && argv[i][length] == '=')
            return argv[i] + length + 1;
    fprintf(stderr, "%s= is missing\n", key);
    exit(2);
}

static inline uint64_t number(int argc, char **argv, const char *key)
{
    return strtoull(value(argc, argv, key), NULL, 10);
}

static inline int is(char **argv, const char *name)
{
    return !strcmp(argv[1], name);
}

static inline void *check(void *memory)
{
    if (!memory) {
        fprintf(stderr, "no memory\n");
        exit(2);
    }
    return memory;
}
#endif
