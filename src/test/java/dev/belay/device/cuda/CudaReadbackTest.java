package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.device.DType;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceException;
import dev.belay.device.PendingRead;
import dev.belay.device.TokenLayout;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Golden;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.ActivationCapture;
import dev.belay.hooks.ActivationRecorder;
import dev.belay.hooks.HookPoint;
import dev.belay.hooks.TextSpan;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Reads that do not wait: their numbers, and how often the host waits. */
class CudaReadbackTest {
    @BeforeAll
    static void needsADevice() {
        CudaAvailability availability = CudaAvailability.get();
        TestKernels.require(availability.available(), availability.reason());
    }

    /** Times that the host waited, for everything or for a piece of the ring. */
    private static long waits(CudaDevice device) {
        return device.queue().waits() + device.queue().eventWaits();
    }

    /**
     * 35 MB in reads of many lengths, some over several pieces, odd ones of bfloat16 among them: twice the ring. The source is overwritten
     * as soon as each read is begun.
     */
    @Test
    void everyNumberArrivesAndOnlyAFullRingIsWaitedFor() {
        int size = 1_500_001;
        int[] lengths = {1, 700_001, 3, 524_288, 1_500_000, 2, 77, 1_048_577, 1_500_001, 1_500_001};
        try (CudaDevice device = CudaDevice.open(DType.BF16, "cuda:0");
                CudaBuffer wide = device.allocate("wide", size);
                CudaBuffer narrow = device.allocateRounded("narrow", size);
                CudaBuffer zeros = device.allocate("zeros", size);
                CudaBuffer rounded = device.allocateRounded("rounded zeros", size)) {
            float[] values = new float[size];
            zeros.write(0, values, 0, size);
            rounded.write(0, values, 0, size);
            Random random = new Random(5);
            for (int i = 0; i < size; i++) {
                values[i] = random.nextInt(-127, 128);
            }
            List<float[]> targets = new ArrayList<>();
            List<Integer> offsets = new ArrayList<>();
            device.queue().await();
            long before = device.queue().bytesToHost();
            long full = 0;
            for (int i = 0; i < lengths.length; i++) {
                CudaBuffer source = i % 2 == 1 ? narrow : wide;
                source.write(0, values, 0, size);
                long waits = waits(device);
                for (int k = 0; k < 2; k++) {
                    int offset = k * Math.min(5, size - lengths[i]);
                    float[] target = new float[lengths[i] + 2];
                    source.beginRead(offset, target, 1, lengths[i]);
                    targets.add(target);
                    offsets.add(offset);
                }
                full += waits(device) - waits;
                device.gather(source == wide ? zeros : rounded, new int[] {0}, 1, size, source);
            }
            long waits = waits(device);
            PendingRead last = wide.beginRead(0, new float[1], 0, 1);
            last.await();
            long waited = waits(device) - waits;
            long bytes = device.queue().bytesToHost() - before;
            // Copies that end at an odd bfloat16 leave two bytes.
            long pieces = Math.ceilDiv(bytes + 64, CudaReadback.PIECE_BYTES);
            assertTrue(pieces > 2 * CudaReadback.PIECES, bytes + " bytes");
            assertTrue(full <= pieces - CudaReadback.PIECES, full + " waits in the reads of " + bytes + " bytes");
            assertTrue(full + waited <= pieces, full + " and " + waited + " waits for " + bytes + " bytes");
            waits = waits(device);
            last.await();
            assertEquals(waits, waits(device), "numbers that are there are not waited for");
            for (int i = 0; i < targets.size(); i++) {
                int length = lengths[i / 2];
                float[] expected = new float[length + 2];
                System.arraycopy(values, offsets.get(i), expected, 1, length);
                assertArrayEquals(expected, targets.get(i), "read " + i + " of " + length);
            }
        }
    }

    /** A read is awaited with those before it and without those in later pieces, which are still under way. */
    @Test
    void aReadOverTwoPiecesIsThereOnlyWithItsEnd() {
        int half = (int) (CudaReadback.PIECE_BYTES / Float.BYTES / 2);
        int size = 3 * half;
        try (CudaDevice device = CudaDevice.open(DType.F32, "cuda:0");
                CudaBuffer source = device.allocate("source", size)) {
            float[] values = new float[size];
            for (int i = 0; i < size; i++) {
                values[i] = i;
            }
            source.write(0, values, 0, size);
            float[] first = new float[half];
            float[] second = new float[size];
            PendingRead one = source.beginRead(0, first, 0, half);
            PendingRead two = source.beginRead(0, second, 0, size);
            one.await();
            assertEquals(half - 1, first[half - 1]);
            two.await();
            assertArrayEquals(values, second);
        }
    }

    /** The device frees the ring, so that what has not been fetched from it is gone. */
    @Test
    void numbersAreAwaitedBeforeTheDeviceIsClosed() {
        CudaDevice device = CudaDevice.open(DType.F32, "cuda:0");
        float[] target = new float[2];
        PendingRead arrived;
        PendingRead late;
        try (device;
                CudaBuffer source = device.allocate("source", 2)) {
            source.write(0, new float[] {1, 2}, 0, 2);
            arrived = source.beginRead(0, target, 0, 1);
            arrived.await();
            late = source.beginRead(0, target, 0, 2);
        }
        arrived.await();
        DeviceException e = assertThrows(DeviceException.class, late::await);
        assertEquals("the device was closed before numbers that it copies were awaited", e.getMessage());
        assertArrayEquals(new float[] {1, 0}, target);
        e = assertThrows(DeviceException.class, () -> device.allocate("more", 2));
        assertEquals("no memory for 'more': the device is closed", e.getMessage());
    }

    /** Where a list of commands holds a place of the ring, it never comes again. */
    @Test
    void noReadBeginsInASequence() {
        try (CudaDevice device = CudaDevice.open(DType.F32, "cuda:0");
                CudaBuffer source = device.allocate("source", 2)) {
            source.write(0, new float[] {1, 2}, 0, 2);
            float[] target = new float[2];
            long bytes = device.queue().bytesToHost();
            assertThrows(IllegalStateException.class, () -> device.sequence(() -> source.beginRead(0, target, 0, 2)));
            assertThrows(IllegalStateException.class, () -> device.sequence(() -> source.read(0, target, 0, 2)));
            assertThrows(
                    IllegalStateException.class,
                    () -> device.sequence(() -> device.dot(source, source, 1, 2, 1, target)));
            assertEquals(bytes, device.queue().bytesToHost());
            source.read(0, target, 0, 2);
            assertArrayEquals(new float[] {1, 2}, target);
        }
    }

    /** Reads each activation when it is shown, and waits. */
    private static final class Waiting implements ActivationCapture {
        private final Map<HookPoint, List<float[]>> seen = new HashMap<>();

        @Override
        public boolean wants(HookPoint point) {
            return true;
        }

        @Override
        public int take(HookPoint point, DeviceBuffer values, int width, TokenLayout layout) {
            float[] all = new float[layout.tokens() * width];
            values.read(0, all, 0, all.length);
            for (int r = 0; r < layout.rows(); r++) {
                float[] own = new float[(layout.rowEnd(r) - layout.rowStart(r)) * width];
                System.arraycopy(all, layout.rowStart(r) * width, own, 0, own.length);
                seen.computeIfAbsent(point, p -> new ArrayList<>()).add(own);
            }
            return layout.tokens();
        }
    }

    /** All activations of eight texts in four batches: one wait, when the first is asked for, and the numbers of reads that wait. */
    @ParameterizedTest
    @EnumSource(DType.class)
    void aCaptureIsWaitedForOnce(DType dtype) {
        try (CudaDevice device = CudaDevice.open(dtype, "cuda:0");
                Model model = Model.load(Golden.path("families/llama"), device, l -> {});
                ForwardPass forward = new ForwardPass(model, 24)) {
            ModelConfig config = model.config();
            Random random = new Random(11);
            List<TextRunner.Text> texts = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                int length = 9 + i % 3;
                texts.add(new TextRunner.Text(
                        random.ints(length, 5, config.vocabulary()).toArray(), TextSpan.plain(length)));
            }
            Set<HookPoint> points = new HashSet<>();
            for (int i = 0; i <= config.layers(); i++) {
                points.add(HookPoint.residual(i));
                if (i < config.layers()) {
                    points.add(HookPoint.headOutput(i));
                }
            }
            Waiting waiting = new Waiting();
            TextRunner runner = new TextRunner(forward);
            runner.run(texts, config.layers(), null, waiting, false, (batch, states) -> {}, n -> {});
            device.queue().await();
            ActivationRecorder recorder = new ActivationRecorder(points, (text, position) -> true);
            long waits = waits(device);
            runner.run(texts, config.layers(), null, recorder, false, (batch, states) -> {}, n -> {});
            assertEquals(waits, waits(device), "waits in the passes");
            for (HookPoint point : points) {
                for (int text = 0; text < texts.size(); text++) {
                    assertArrayEquals(waiting.seen.get(point).get(text), recorder.get(point, text), point + " " + text);
                }
            }
            assertEquals(waits + 1, waits(device), "waits for the activations");
        }
    }
}
