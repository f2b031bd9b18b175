package dev.belay.device.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.device.AttentionShape;
import dev.belay.device.DType;
import dev.belay.device.DeviceException;
import dev.belay.device.HeadTerms;
import dev.belay.device.KeyValues;
import dev.belay.device.QkvPart;
import dev.belay.device.TokenLayout;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Every operation refuses what lies outside its buffers, on the caller's thread, and names the operation and the buffer. */
class CpuDeviceBoundsTest {
    private final CpuDevice device = CpuDevice.open(DType.F32, 2, false);
    private final CpuBuffer small = OpData.upload(device, "small", new float[31]);
    private final CpuBuffer large = OpData.upload(device, "large", new float[64]);
    private final CpuMatrix weights = OpData.matrix(device, "weights", new float[32], 4, 8);

    @AfterEach
    void close() {
        small.close();
        large.close();
        weights.close();
        device.close();
    }

    private static void refuses(String message, Executable operation) {
        assertEquals(message, assertThrows(DeviceException.class, operation).getMessage());
    }

    private static String outside(String operation, int count, int offset) {
        return operation + " of " + count + " elements at " + offset + " is outside buffer 'small' of 31 elements";
    }

    @Test
    void readsAndWrites() {
        float[] four = new float[4];
        refuses(outside("write", 4, 28), () -> small.write(28, four, 0, 4));
        refuses(outside("write", 1, -1), () -> small.write(-1, four, 0, 1));
        refuses(outside("read", 4, 28), () -> small.read(28, four, 0, 4));
        refuses(outside("read", -1, 3), () -> small.read(3, four, 0, -1));
        refuses(
                "read of 4 elements at 9223372036854775807 is outside buffer 'small' of 31 elements",
                () -> small.read(Long.MAX_VALUE, four, 0, 4));
        small.write(27, four, 0, 4);
    }

    @Test
    void products() {
        String in = "matmul input of weights [4, 8]";
        refuses(outside(in, 32, 0), () -> device.matmul(small, 8, 0, 4, weights, large, 0, false));
        refuses(
                outside("matmul output of weights [4, 8]", 32, 0),
                () -> device.matmul(large, 8, 0, 8, weights, small, 0, false));
        refuses(
                outside("matmul output of weights [4, 8]", 16, 16),
                () -> device.matmul(large, 8, 0, 4, weights, small, 16, false));
        refuses(
                "matmul of weights [4, 8] reads columns 1..9 of rows of 8 in buffer 'large'",
                () -> device.matmul(large, 8, 1, 2, weights, small, 0, false));
        refuses(
                "matmul of weights [4, 8] reads columns -1..7 of rows of 8 in buffer 'large'",
                () -> device.matmul(large, 8, -1, 2, weights, small, 0, false));
        device.matmul(small, 8, 0, 0, weights, small, 0, false);
    }

    @Test
    void matrixViews() {
        refuses("rows 3..5 are outside matrix weights [4, 8]", () -> weights.view(3, 2, 0, 8));
        refuses("rows -1..3 are outside matrix weights [4, 8]", () -> weights.view(-1, 4, 0, 8));
        refuses("rows 0..0 are outside matrix weights [4, 8]", () -> weights.view(0, 0, 0, 8));
        refuses("columns 4..9 are outside matrix weights [4, 8]", () -> weights.view(0, 4, 4, 5));
        refuses("columns 0..0 are outside matrix weights [4, 8]", () -> weights.view(0, 4, 0, 0));
    }

    @Test
    void operationsOnRows() {
        refuses(outside("rmsNorm", 32, 0), () -> device.rmsNorm(small, large, 0, 4, 8, large));
        refuses(outside("rmsNorm weight", 32, 0), () -> device.rmsNorm(large, small, 0, 1, 32, large));
        refuses(outside("rmsNorm", 32, 0), () -> device.rmsNorm(large, large, 0, 4, 8, small));
        refuses(outside("swiglu", 32, 0), () -> device.swiglu(small, 2, 8, large));
        refuses(outside("swiglu", 32, 0), () -> device.swiglu(large, 1, 32, small));
        refuses(outside("scaleHeads", 32, 0), () -> device.scaleHeads(small, null, 4, 2, 4));
        refuses(outside("gather", 8, 24), () -> device.gather(small, new int[] {0, 3}, 2, 8, large));
        refuses(outside("gather", 8, -8), () -> device.gather(small, new int[] {-1}, 1, 8, large));
        refuses(outside("gather", 32, 0), () -> device.gather(large, new int[4], 4, 8, small));
        refuses(outside("ablationStart", 32, 0), () -> device.ablationStart(small, large, null, 1, 4, 8, large, 0));
        refuses(outside("ablationStart", 32, 0), () -> device.ablationStart(large, small, null, 1, 4, 8, large, 0));
        refuses(outside("ablationStart", 32, 0), () -> device.ablationStart(large, large, null, 2, 2, 8, small, 0));
        float[] ones = {1, 1};
        int[] four = {0, 1, 0, 1};
        refuses(outside("ablationNorms", 32, 0), () -> device.ablationNorms(small, ones, four, 4, 2, 4, large));
        refuses(outside("ablationNorms", 32, 0), () -> device.ablationNorms(large, ones, four, 8, 2, 4, small));
        refuses(
                outside("ablationStart norms", 32, 0),
                () -> device.ablationStart(large, large, small, 4, 8, 2, large, 0));
        refuses(outside("dot", 32, 0), () -> device.dot(small, large, 4, 8, 1, new float[4]));
        refuses(outside("dot vectors", 32, 0), () -> device.dot(large, small, 1, 32, 1, new float[1]));
        refuses(outside("dot vectors", 32, 0), () -> device.dot(large, small, 1, 8, 4, new float[4]));
    }

    @Test
    void tokenIds() {
        refuses("embed of token id 4 is outside matrix weights [4, 8]", () -> device.embed(weights, layout(4), large));
        refuses(
                "embed of token id -1 is outside matrix weights [4, 8]",
                () -> device.embed(weights, layout(-1), large));
        TokenLayout four = layout(0);
        four.addToken(1, 1);
        four.addToken(2, 2);
        four.addToken(3, 3);
        refuses(outside("embed", 32, 0), () -> device.embed(weights, four, small));
        device.embed(weights, four, large);
    }

    private static TokenLayout layout(int id) {
        TokenLayout layout = new TokenLayout();
        layout.addRow(0, 0, 0);
        layout.addToken(id, 0);
        return layout;
    }

    /** Heads of 4: 7 slots fit into the small buffer, and angles of 7 positions. */
    @Test
    void cachesAndAngles() {
        AttentionShape shape = new AttentionShape(1, 1, 4, 4, 1);
        KeyValues cache = new KeyValues(small, large);
        KeyValues swapped = new KeyValues(large, small);
        KeyValues enough = new KeyValues(large, large);
        TokenLayout late = new TokenLayout();
        late.addRow(0, 0, 2);
        late.addToken(0, 5);
        refuses(
                outside("rotate slot", 4, 28),
                () -> device.rotate(QkvPart.KEYS_VALUES, large, late, shape, HeadTerms.NONE, large, null, cache));
        refuses(
                outside("rotate slot", 4, 28),
                () -> device.rotate(QkvPart.KEYS_VALUES, large, late, shape, HeadTerms.NONE, large, null, swapped));
        refuses(
                outside("attention keys", 24, 8),
                () -> device.attention(large, late, shape, cache, cache, 0, null, null, large));
        refuses(
                outside("attention values", 24, 8),
                () -> device.attention(large, late, shape, cache, swapped, 0, null, null, large));
        TokenLayout far = new TokenLayout();
        far.addRow(4, 4, 0);
        far.addToken(0, 7);
        refuses(
                outside("rotate angles", 32, 0),
                () -> device.rotate(QkvPart.QUERIES, large, far, shape, HeadTerms.NONE, small, large, null));
        refuses(
                outside("rotate angles", 32, 0),
                () -> device.rotate(QkvPart.KEYS_VALUES, large, far, shape, HeadTerms.NONE, small, null, enough));
        refuses(
                outside("attention prefix keys", 16, 16),
                () -> device.attention(large, far, shape, cache, enough, 0, null, null, large));
        refuses(
                outside("attention prefix values", 16, 16),
                () -> device.attention(large, far, shape, swapped, enough, 0, null, null, large));
    }

    @Test
    void queriesAndOutputsOfAttention() {
        AttentionShape shape = new AttentionShape(2, 1, 16, 16, 1);
        KeyValues cache = new KeyValues(large, large);
        TokenLayout one = layout(0);
        refuses(
                outside("attention queries", 32, 0),
                () -> device.attention(small, one, shape, cache, cache, 0, null, null, large));
        refuses(
                outside("attention output", 32, 0),
                () -> device.attention(large, one, shape, cache, cache, 0, null, null, small));
        refuses(
                outside("rotate", 32, 0),
                () -> device.rotate(QkvPart.QUERIES, small, one, shape, HeadTerms.NONE, large, large, null));
        refuses(
                outside("rotate queries", 32, 0),
                () -> device.rotate(QkvPart.QUERIES, large, one, shape, HeadTerms.NONE, large, small, null));
        refuses(
                outside("rotate", 32, 0),
                () -> device.rotate(QkvPart.KEYS_VALUES, small, one, shape, HeadTerms.NONE, large, null, cache));
    }

    /** Native code would read freed memory. */
    @Test
    void closedBuffersAndMatrices() {
        CpuBuffer gone = device.allocate("gone", 64);
        gone.close();
        gone.close();
        refuses("buffer 'gone' is closed", () -> device.matmul(gone, 8, 0, 4, weights, large, 0, false));
        refuses("buffer 'gone' is closed", () -> device.matmul(large, 8, 0, 4, weights, gone, 0, false));
        CpuMatrix freed = OpData.matrix(device, "freed", new float[32], 4, 8);
        var view = freed.view(0, 2, 0, 8);
        freed.close();
        refuses("matrix freed [2, 8] is closed", () -> device.matmul(large, 8, 0, 4, view, small, 0, false));
    }

    @Test
    void tooMuchMemoryNamesTheBuffer() {
        String message = assertThrows(DeviceException.class, () -> device.allocate("huge", 1L << 58))
                .getMessage();
        assertTrue(message.startsWith("cannot allocate 1152921504606846976 bytes for 'huge': out of memory"), message);
    }

    @Test
    void countsAllocations() {
        long before = device.allocations();
        device.allocate("one", 4).close();
        OpData.matrix(device, "two", new float[4], 2, 2).close();
        assertEquals(before + 2, device.allocations());
    }
}
