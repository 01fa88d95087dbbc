// Stands in the benchmark's OS image where systemd is: as PID 1 it prints one line with the time since
// kernel start and the memory state, then execs the true systemd with the same arguments, environment
// and file descriptors. The line is the end of what the benchmark measures:
//
//   DAYFLY-BENCH exec_s=<CLOCK_BOOTTIME, s> idle_s=<idle time of all CPUs, s> mem_total_kib=<n> mem_available_kib=<n>
//
// Sources: clock_gettime(2), proc(5) on /proc/uptime and /proc/meminfo.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char REAL_INIT[] = "/lib/systemd/systemd.real";

// The start of a file as a string; empty when it cannot be read.
static void read_text(const char *path, char *text, size_t size) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);
    if (fd >= 0) close(fd);
    text[length > 0 ? length : 0] = 0;
}

// A field of /proc/meminfo in KiB, -1 when it is not there.
static long meminfo_field(const char *meminfo, const char *name) {
    const char *at = strstr(meminfo, name);
    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

static void print_stamp(void) {
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);

    char uptime[64], meminfo[4096], line[256];
    read_text("/proc/uptime", uptime, sizeof uptime);
    read_text("/proc/meminfo", meminfo, sizeof meminfo);
    const char *idle = strchr(uptime, ' ');
    // It starts with a line break: the console may be in the middle of someone else's line.
    int length = snprintf(line, sizeof line,
        "\nDAYFLY-BENCH exec_s=%ld.%06ld idle_s=%.2f mem_total_kib=%ld mem_available_kib=%ld\n",
        (long)now.tv_sec, now.tv_nsec / 1000, idle ? strtod(idle, NULL) : -1.0,
        meminfo_field(meminfo, "MemTotal:"), meminfo_field(meminfo, "MemAvailable:"));

    int console = open("/dev/console", O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (console < 0) return;
    if (write(console, line, (size_t)length) < 0) perror("stamp: write to /dev/console");
    close(console);
}

int main(int argc, char **argv, char **envp) {
    (void)argc;
    int first = getpid() == 1;
    if (first) print_stamp();
    execve(REAL_INIT, argv, envp);
    // The `bare` initramfs has no OS behind the stamp: PID 1 stays until the benchmark ends the VM.
    while (first) pause();
    return 127;
}
