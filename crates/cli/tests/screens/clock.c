/* A wall clock that stands still, for a program that preloads it: its screens tell ages and dates.
 *
 * cc -shared -fPIC -DAT=1795771800 -o clock.so clock.c
 *
 * Everything else is the kernel's: how long something took, and when a timer is due. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec = AT;
        now->tv_nsec = 0;
    }
    return result;
}
