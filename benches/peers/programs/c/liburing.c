/* The bare loop in C on liburing: no-ops, and an echo server, a receive and a send in turns. */
#define _GNU_SOURCE
#include "support.h"
#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/tcp.h>
#include <unistd.h>

struct connection {
    int fd;
    size_t begin, end; /* what is to be sent; equal while a receive is in flight */
    char bytes[];
};

static struct io_uring ring;

static void open_ring(void)
{
    struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN };
    int error = io_uring_queue_init_params(1024, &ring, &params);
    if (error) {
        fprintf(stderr, "no ring: %s\n", strerror(-error));
        exit(2);
    }
}

static struct io_uring_sqe *entry(void)
{
    struct io_uring_sqe *sqe;
    while (!(sqe = io_uring_get_sqe(&ring)))
        io_uring_submit(&ring);
    return sqe;
}

static void nops(uint64_t items, unsigned batch)
{
    for (uint64_t done = 0; done < items;) {
        for (unsigned i = 0; i < batch; i++)
            io_uring_prep_nop(entry());
        io_uring_submit_and_wait(&ring, batch);
        unsigned head, count = 0;
        struct io_uring_cqe *cqe;
        io_uring_for_each_cqe(&ring, head, cqe)
            count++;
        io_uring_cq_advance(&ring, count);
        done += count;
    }
}

static void measure_nops(const char *row, uint64_t items, unsigned batch)
{
    open_ring();
    nops(items / 10, batch);
    struct begun b = begin();
    nops(items, batch);
    end(b, row, items);
}

static void receive(struct connection *c, size_t size)
{
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_recv(sqe, c->fd, c->bytes, size, 0);
    io_uring_sqe_set_data(sqe, c);
}

static void send_rest(struct connection *c)
{
    struct io_uring_sqe *sqe = entry();
    io_uring_prep_send(sqe, c->fd, c->bytes + c->begin, c->end - c->begin, MSG_NOSIGNAL);
    io_uring_sqe_set_data(sqe, c);
}

static void accepted(int fd, size_t size)
{
    int one = 1;
    if (fd < 0) {
        fprintf(stderr, "accept: %s\n", strerror(-fd));
        exit(2);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *c = check(malloc(sizeof *c + size));
    c->fd = fd;
    c->begin = c->end = 0;
    receive(c, size);
}

static void moved(struct connection *c, int result, size_t size)
{
    if (result <= 0) {
        close(c->fd);
        free(c);
        return;
    }
    if (c->begin == c->end) {
        c->begin = 0;
        c->end = (size_t)result;
    } else {
        c->begin += (size_t)result;
    }
    if (c->begin == c->end)
        receive(c, size);
    else
        send_rest(c);
}

static void serve(size_t size)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1024)) {
        perror("listen");
        exit(2);
    }
    getsockname(listener, (struct sockaddr *)&address, &length);
    open_ring();
    printf("ready %d\n", ntohs(address.sin_port));
    fflush(stdout);
    io_uring_prep_multishot_accept(entry(), listener, NULL, NULL, 0);
    for (;;) {
        io_uring_submit_and_wait(&ring, 1);
        unsigned head, count = 0;
        struct io_uring_cqe *cqe;
        io_uring_for_each_cqe(&ring, head, cqe) {
            struct connection *c = io_uring_cqe_get_data(cqe);
            count++;
            if (c) {
                moved(c, cqe->res, size);
                continue;
            }
            accepted(cqe->res, size);
            if (!(cqe->flags & IORING_CQE_F_MORE))
                io_uring_prep_multishot_accept(entry(), listener, NULL, NULL, 0);
        }
        io_uring_cq_advance(&ring, count);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2 || is(argv, "list"))
        return puts("nop-1\nnop-32\nnop-128\necho\nidle") < 0;
    if (!strncmp(argv[1], "nop-", 4))
        measure_nops(argv[1], number(argc, argv, "items"), (unsigned)atoi(argv[1] + 4));
    else if (is(argv, "echo"))
        serve(number(argc, argv, "buffer"));
    else
        serve(64);
}
