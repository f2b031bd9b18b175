package dev.belay.device.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
class ThreadTeamTest {
    /** Runs follow each other at once, with pauses short and long enough for members to spin and to park. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 8})
    void everyItemIsDoneExactlyOnce(int size) throws InterruptedException {
        Random random = new Random(size);
        AtomicIntegerArray done = new AtomicIntegerArray(40);
        try (ThreadTeam team = new ThreadTeam(size)) {
            assertEquals(size, team.size());
            for (int run = 0; run < 5000; run++) {
                int items = random.nextInt(40);
                team.run((item, worker) -> done.incrementAndGet(item), items);
                for (int i = 0; i < 40; i++) {
                    assertEquals(i < items ? 1 : 0, done.getAndSet(i, 0), "run " + run + ", item " + i);
                }
                if (run % 1000 == 999) {
                    Thread.sleep(20);
                }
            }
        }
    }

    /** What members wrote with plain stores is visible to the caller, and what the caller wrote before is to them. */
    @Test
    void plainWritesAreVisibleBothWays() {
        int[] values = new int[64];
        try (ThreadTeam team = new ThreadTeam(3)) {
            for (int run = 1; run <= 3000; run++) {
                int expected = run;
                team.run(
                        (item, worker) -> {
                            if (values[item] != expected - 1) {
                                throw new IllegalStateException(item + " is " + values[item]);
                            }
                            values[item] = expected;
                        },
                        values.length);
                for (int value : values) {
                    assertEquals(run, value);
                }
            }
        }
    }

    /** More members than processors, so that some are held up between looking at a run and claiming from it. */
    @Test
    void aMemberThatIsHeldUpDoesNotRunTheTaskBefore() {
        AtomicInteger current = new AtomicInteger();
        AtomicInteger late = new AtomicInteger();
        try (ThreadTeam team = new ThreadTeam(12)) {
            for (int run = 1; run <= 60_000; run++) {
                int mine = run;
                current.set(run);
                team.run(
                        (item, worker) -> {
                            if (current.get() != mine) {
                                late.incrementAndGet();
                            }
                        },
                        2);
            }
        }
        assertEquals(0, late.get(), "items done with the task of another run");
    }

    /** Two items that wait for each other only end if two members have them, each under its own number. */
    @Test
    void membersWorkAtTheSameTime() {
        try (ThreadTeam team = new ThreadTeam(3)) {
            for (int run = 0; run < 50; run++) {
                CountDownLatch both = new CountDownLatch(2);
                Set<Integer> workers = ConcurrentHashMap.newKeySet();
                team.run(
                        (item, worker) -> {
                            workers.add(worker);
                            both.countDown();
                            await(both);
                        },
                        2);
                assertEquals(2, workers.size());
                assertTrue(Set.of(0, 1, 2).containsAll(workers), workers.toString());
            }
        }
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(10, TimeUnit.SECONDS), "the other item was not started");
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 3})
    void aFailingItemSurfacesAndTheTeamGoesOn(int size) {
        try (ThreadTeam team = new ThreadTeam(size)) {
            for (int run = 0; run < 500; run++) {
                int failing = run % 20;
                RuntimeException failure = new ArithmeticException("item " + failing);
                AtomicIntegerArray done = new AtomicIntegerArray(20);
                Throwable thrown = assertThrows(
                        IllegalStateException.class,
                        () -> team.run(
                                (item, worker) -> {
                                    done.incrementAndGet(item);
                                    if (item == failing) {
                                        throw failure;
                                    }
                                },
                                20));
                assertSame(failure, thrown.getCause());
                for (int i = 0; i < 20; i++) {
                    assertEquals(1, done.get(i), "the other items are done all the same");
                }
                team.run((item, worker) -> done.incrementAndGet(item), 20);
                assertEquals(2, done.get(failing));
            }
        }
    }

    @Test
    void aFailingItemOfTheCallerAlone() {
        ArithmeticException failure = new ArithmeticException();
        ThreadTeam.Task task = (item, worker) -> {
            throw failure;
        };
        try (ThreadTeam one = new ThreadTeam(1);
                ThreadTeam two = new ThreadTeam(2)) {
            assertSame(failure, assertThrows(ArithmeticException.class, () -> one.run(task, 3)));
            assertSame(failure, assertThrows(ArithmeticException.class, () -> two.run(task, 1)));
        }
    }

    @Test
    void closeEndsTheThreads() throws InterruptedException {
        Set<Thread> others = new HashSet<>(Thread.getAllStackTraces().keySet());
        ThreadTeam team = new ThreadTeam(4);
        Set<Thread> members = new HashSet<>(Thread.getAllStackTraces().keySet());
        members.removeAll(others);
        members.removeIf(thread -> !thread.getName().startsWith("belay-cpu-"));
        assertEquals(3, members.size());
        team.run((item, worker) -> {}, 10);
        Thread.sleep(20);
        team.close();
        for (Thread member : members) {
            assertTrue(member.join(Duration.ofSeconds(10)), member + " goes on");
            assertFalse(member.isAlive());
        }
    }
}
