package dev.belay.device.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the system and control groups of both versions say is free. */
class FreeMemoryTest {
    @TempDir
    private Path folder;

    private void write(String name, String text) throws IOException {
        Path file = folder.resolve(name);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text + "\n");
    }

    private FreeMemory memory() {
        return new FreeMemory(folder.resolve("proc"), folder.resolve("groups"));
    }

    private long free() {
        return memory().bytes();
    }

    @Test
    void whatTheSystemSays() throws IOException {
        assertEquals(Long.MAX_VALUE, free());
        write("proc/meminfo", "MemTotal:       24684084 kB\nMemFree:        19692480 kB\nMemAvailable:   1000 kB");
        assertEquals(1000 << 10, free());
        write("proc/self/cgroup", "12:cpu,cpuacct:/\n4:memory:/not/there\n0::/nor/there");
        assertEquals(1000 << 10, free());
    }

    @Test
    void whatThisProcessHolds() throws IOException {
        assertEquals(Long.MAX_VALUE, memory().held());
        write("proc/self/status", "Name:\tjava\nVmHWM:\t  300000 kB\nVmRSS:\t  200000 kB");
        assertEquals(200_000 << 10, memory().held());
    }

    /** The limit of a group above counts, too; files that are only cached do not count as used. */
    @Test
    void theLimitsOfVersionTwo() throws IOException {
        write("proc/meminfo", "MemAvailable:   1000000 kB");
        write("proc/self/cgroup", "0::/job/step");
        write("groups/job/step/memory.max", "max");
        write("groups/job/step/memory.current", "500");
        assertEquals(1_000_000 << 10, free());
        write("groups/job/memory.max", "5000000");
        write("groups/job/memory.current", "3000000");
        write("groups/job/memory.stat", "anon 900000\ninactive_file 700000\nactive_file 3");
        assertEquals(2_700_000, free());
        write("groups/job/step/memory.max", "600");
        assertEquals(100, free());
        write("groups/job/step/memory.current", "601");
        assertEquals(0, free());
    }

    /** In a container the group has a name that only the host knows; the limit is at the root. */
    @Test
    void theLimitsOfVersionOne() throws IOException {
        write("proc/meminfo", "MemAvailable:   1000000 kB");
        write("proc/self/cgroup", "4:memory:/docker/0123\n3:cpu:/docker/0123");
        write("groups/memory/memory.limit_in_bytes", "2000000");
        write("groups/memory/memory.usage_in_bytes", "1500000");
        write("groups/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 1000");
        assertEquals(501_000, free());
        write("groups/memory/docker/0123/memory.limit_in_bytes", "9223372036854771712");
        write("groups/memory/docker/0123/memory.usage_in_bytes", "1500000");
        assertEquals(501_000, free());
    }

    /** The least limit of a group and those above it; version 1 has a number for none. */
    @Test
    void theLimitItself() throws IOException {
        assertEquals(Long.MAX_VALUE, memory().total());
        assertEquals(Long.MAX_VALUE, memory().limit());
        write("proc/meminfo", "MemTotal:       2000000 kB\nMemAvailable:   1000000 kB");
        write("proc/self/cgroup", "0::/job/step\n4:memory:/x");
        write("groups/job/step/memory.max", "max");
        write("groups/memory/x/memory.limit_in_bytes", "9223372036854771712");
        assertEquals(2_000_000L << 10, memory().total());
        assertEquals(Long.MAX_VALUE, memory().limit());
        write("groups/job/memory.max", "5000000");
        assertEquals(5_000_000, memory().limit());
        write("groups/memory/memory.limit_in_bytes", "4000000");
        assertEquals(4_000_000, memory().limit());
    }

    @Test
    void thisMachine() {
        long free = new FreeMemory().bytes();
        assertTrue(free > 1 << 20, free + " bytes");
    }
}
