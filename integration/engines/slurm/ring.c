/* A ring and a sum: every task sends messages of 1 byte to 4 MiB to the next one and compares every byte that it gets. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

enum { LARGEST = 4 << 20 };

static unsigned char byte_of(int task, int size, int at) {
    return (unsigned char)(task * 31 + size * 7 + at * 13 + (at >> 8));
}

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    int task, tasks, wrong = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &task);
    MPI_Comm_size(MPI_COMM_WORLD, &tasks);
    unsigned char *sent = malloc(LARGEST), *got = malloc(LARGEST);
    int next = (task + 1) % tasks, before = (task + tasks - 1) % tasks;
    for (int size = 1; size <= LARGEST; size *= 4) {
        for (int at = 0; at < size; at++) {
            sent[at] = byte_of(task, size, at);
            got[at] = 0;
        }
        MPI_Sendrecv(sent, size, MPI_BYTE, next, 0, got, size, MPI_BYTE, before, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        for (int at = 0; at < size; at++)
            wrong += got[at] != byte_of(before, size, at);
    }
    int all = 0, sum = 0;
    MPI_Allreduce(&wrong, &all, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    MPI_Allreduce(&task, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (task == 0)
        printf("%d tasks, %d bytes wrong, sum %s\n", tasks, all, sum == tasks * (tasks - 1) / 2 ? "right" : "wrong");
    MPI_Finalize();
    return all != 0;
}
