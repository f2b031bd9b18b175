package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import dev.belay.cliff.BatchMemory;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.Devices;
import dev.belay.hooks.PositionScope;
import dev.belay.model.ModelConfig;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How many tokens a batch has: a model of 1,000 MiB here, and 1 MiB for each token. */
class BatchTokensTest {
    private static BatchTokens batches(long freeMebibytes, long heapBytesPerToken) {
        return new BatchTokens(tokens -> (1000L + tokens) << 20, freeMebibytes << 20, heapBytesPerToken);
    }

    /** A fifth of what is free beside the weights is left to others. */
    @ParameterizedTest
    @CsvSource({"10000, 2048", "3560, 2048", "3559, 1024", "1700, 512", "1003, 2", "1002, 1"})
    void asManyAsFitButNoMoreThanUsual(long free, int tokens) {
        try (Device device = Devices.open("cpu", DType.BF16)) {
            assertEquals(tokens, batches(free, 0).usual(device));
        }
    }

    /** The numbers of a heap with room for a thousand tokens and some. */
    @Test
    void theHeapBoundsThem() {
        try (Device device = Devices.open("cpu", DType.BF16)) {
            long perToken = Runtime.getRuntime().maxMemory() / 1300;
            int tokens = batches(10000, perToken).usual(device);
            assertTrue(tokens == 512 || tokens == 1024, tokens + " tokens");
        }
    }

    @Test
    void whatIsAskedForAndDoesNotFitNamesANumberThatDoes() {
        try (Device device = Devices.open("cpu", DType.BF16)) {
            assertEquals(3000, batches(4000, 0).asked(3000, device));
            BelayException e =
                    assertThrows(BelayException.class, () -> batches(3999, 0).asked(3000, device));
            assertEquals(
                    "--batch-tokens 3000 needs 3.91 GiB with the model, 3.91 GiB are free: use --batch-tokens 2048",
                    e.getMessage());
            e = assertThrows(BelayException.class, () -> batches(1700, 0).asked(1024, device));
            assertTrue(e.getMessage().endsWith("1.66 GiB are free: use --batch-tokens 512"), e.getMessage());
        }
    }

    @ParameterizedTest
    @CsvSource({"F32, use --dtype bf16", "BF16, use a machine with more memory"})
    void withoutRoomForTheModelTheMessageSaysWhatToChange(DType type, String advice) {
        try (Device device = Devices.open("cpu", type)) {
            for (int asked : new int[] {0, 4096}) {
                BatchTokens batches = batches(900, 0);
                BelayException e = assertThrows(BelayException.class, () -> tokens(batches, asked, device));
                assertTrue(
                        e.getMessage()
                                .startsWith("the model and a batch of one token need 1001.0 MiB, 900.0 MiB are free: "
                                        + advice),
                        e.getMessage());
            }
        }
    }

    private static int tokens(BatchTokens batches, int asked, Device device) {
        return asked == 0 ? batches.usual(device) : batches.asked(asked, device);
    }

    @Test
    void theFastestAreNotTheLargest() {
        // Twice as many are clearly faster once; the next doubling is within what measurements differ by.
        assertEquals(4096, fastest(100_000, Map.of(2048, 100.0, 4096, 120.0, 8192, 125.0)));
        // Larger ones do not fit.
        assertEquals(2048, fastest(4000, Map.of(2048, 100.0, 1024, 100.0)));
        // Halves are clearly faster, quarters no more.
        assertEquals(1024, fastest(100_000, Map.of(2048, 100.0, 4096, 90.0, 1024, 130.0, 512, 100.0)));
        // No difference.
        assertEquals(2048, fastest(100_000, Map.of(2048, 100.0, 4096, 105.0, 1024, 105.0)));
        // There is an end, also where more are always faster.
        List<Integer> asked = new ArrayList<>();
        int most = batches(1L << 30, 0).fastest(2048, tokens -> {
            asked.add(tokens);
            return tokens;
        });
        assertEquals(32768, most);
        assertEquals(List.of(2048, 4096, 8192, 16384, 32768), asked);
    }

    private static int fastest(long free, Map<Integer, Double> speeds) {
        return batches(free, 0).fastest(2048, speeds::get);
    }

    /** Speeds are really measured in a long run, for passes and for generation, and not in a short one. */
    @Test
    void aLongRunTakesTheFastestAndAShortOneTheUsual() {
        for (BatchMemory.Use use : List.of(BatchMemory.Use.PASS, BatchMemory.Use.GENERATION)) {
            try (Session session = session(use)) {
                assertEquals(2048, session.batchTokens(1 << 20));
            }
            try (Session session = session(use)) {
                int tokens = session.batchTokens(1L << 40);
                assertTrue(tokens >= 512 && tokens <= 32768 && Integer.bitCount(tokens) == 1, tokens + " tokens");
                assertEquals(tokens, session.batchTokens());
                assertEquals(tokens, session.forward().maxTokens());
            }
        }
    }

    /** A sweep that is done again captures head outputs that are scaled: these need room before their factors, too. */
    @Test
    void aSweepDoneAgainNeedsMore() {
        ModelConfig config = ModelConfig.read(Cli.TINY);
        try (Device device = Devices.open("cpu", DType.BF16);
                DeviceBuffer one = device.allocateRounded("one", 1)) {
            long once = bytes(device, BatchMemory.Use.sweep(PositionScope.ALL, false, false));
            long again = bytes(device, BatchMemory.Use.sweep(PositionScope.ALL, false, true));
            assertEquals(1024L * config.attention().queryWidth() * one.elementBytes(), again - once);
        }
    }

    private static long bytes(Device device, BatchMemory.Use use) {
        try (BatchMemory memory = new BatchMemory(Cli.TINY, device, use)) {
            return memory.bytes(1024);
        }
    }

    private static Session session(BatchMemory.Use use) {
        ModelOptions options = new ModelOptions();
        options.folder = Cli.TINY;
        options.on.name = "cpu";
        options.use = use;
        return Session.openForText(options);
    }
}
