/* Another wall clock for the programs that preload it: SECONDS ahead of the kernel's, or behind it where negative.
 *
 * cc -shared -fPIC -DSECONDS=600 -o clock.so clock.c
 *
 * Everything else is the kernel's: how long something took, when something is due, times of files. libfaketime moves absolute
 * deadlines as well, those of the monotonic clock included, so that a sleep in a kernel's Python fails or never ends. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += SECONDS;
    return result;
}

time_t time(time_t *told)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told)
        *told = now.tv_sec;
    return now.tv_sec;
}

/* struct timeval, without the header that declares this function with an older type of its second argument. */
struct microseconds { time_t seconds; long microseconds; };

int gettimeofday(struct microseconds *told, void *zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    told->seconds = now.tv_sec;
    told->microseconds = now.tv_nsec / 1000;
    return 0;
}
