package dev.belay.device.cuda;

import dev.belay.device.TokenLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * One launch of each kernel in the widths of Llama-3.1-8B: hidden size 4096, 32 heads and 8 key/value heads of 128, feed-forward
 * 14336.
 *
 * @param work the shapes in words
 * @param minimumBytes every input read once and every output written once
 * @param arguments in the kernel's order
 */
record KernelWorkload(
        KernelSignature kernel, String work, LaunchShape shape, long minimumBytes, List<Argument> arguments) {
    private static final int TOKENS = 256;
    private static final int WIDTH = 4096;
    private static final int FEED_FORWARD = 14336;
    private static final int HEADS = 32;
    private static final int KV_HEADS = 8;
    private static final int HEAD_SIZE = 128;
    private static final int ATTENTION_TOKENS = 512;
    /** A byte that makes small float32 and bf16 numbers, 0.01. */
    private static final byte SMALL = 0x3c;

    /** What a launch gives the kernel. */
    sealed interface Argument {}

    /** Memory of numbers whose values do not matter. */
    record Numbers(String name, long bytes) implements Argument {}

    /** Memory of given integers. */
    record Integers(String name, int... values) implements Argument {}

    record I32(int value) implements Argument {}

    record F32(float value) implements Argument {}

    /** No memory. */
    record Null() implements Argument {}

    /** All kernels of the catalog, in its order. */
    static List<KernelWorkload> all() {
        List<KernelWorkload> all = new ArrayList<>();
        all.add(rmsNorm(KernelCatalog.RMSNORM_F32, 4));
        all.add(rmsNorm(KernelCatalog.RMSNORM_F32_BF16, 2));
        all.add(rope(KernelCatalog.ROPE_F32, 4));
        all.add(rope(KernelCatalog.ROPE_F32_BF16, 2));
        all.add(ropeStore(KernelCatalog.ROPE_STORE_F32, 4));
        all.add(ropeStore(KernelCatalog.ROPE_STORE_F32_BF16, 2));
        all.add(swiglu(KernelCatalog.SWIGLU_F32, 4, 4));
        all.add(swiglu(KernelCatalog.SWIGLU_F32_BF16, 4, 2));
        all.add(swiglu(KernelCatalog.SWIGLU_BF16_F32, 2, 4));
        all.add(swiglu(KernelCatalog.SWIGLU_BF16, 2, 2));
        all.add(scaleHeads(KernelCatalog.SCALE_HEADS_F32, 4));
        all.add(scaleHeads(KernelCatalog.SCALE_HEADS_BF16, 2));
        for (int headSize : new int[] {32, 64, 80, 96, 128, 256}) {
            all.add(attention(headSize));
        }
        all.add(product(KernelCatalog.MATMUL_BF16_F32, 256, 2048, 1024, 2));
        all.add(product(KernelCatalog.MATMUL_SMALL_BF16_F32, 64, WIDTH, 2048, 2));
        all.add(product(KernelCatalog.MATMUL_F32, 256, 2048, 1024, 4));
        all.add(product(KernelCatalog.MATMUL_SMALL_F32, 64, WIDTH, 2048, 4));
        all.add(product(KernelCatalog.MATVEC_BF16_F32, 8, FEED_FORWARD, WIDTH, 2));
        all.add(product(KernelCatalog.MATVEC_F32, 8, FEED_FORWARD, WIDTH, 4));
        return all;
    }

    /** Launches it once and waits. */
    void run(CudaContext context, CudaModule module) {
        List<CudaMemory> memory = new ArrayList<>();
        CudaKernel launch = module.kernel(kernel);
        for (Argument argument : arguments) {
            switch (argument) {
                case Numbers numbers -> {
                    memory.add(context.allocate(numbers.name(), numbers.bytes()));
                    memory.getLast().fill(SMALL);
                    launch.pointer(memory.getLast());
                }
                case Integers integers -> {
                    memory.add(context.allocate(integers.name(), 4L * integers.values().length));
                    try (Arena arena = Arena.ofConfined()) {
                        memory.getLast().write(0, arena.allocateFrom(ValueLayout.JAVA_INT, integers.values()));
                    }
                    launch.pointer(memory.getLast());
                }
                case I32 number -> launch.i32(number.value());
                case F32 number -> launch.f32(number.value());
                case Null none -> launch.pointer(0);
            }
        }
        launch.launch(shape, CudaKernel.DEFAULT_STREAM);
        context.synchronize();
        memory.forEach(CudaMemory::close);
    }

    private static KernelWorkload rmsNorm(KernelSignature kernel, int outBytes) {
        long numbers = (long) TOKENS * WIDTH;
        return new KernelWorkload(
                kernel,
                "T " + TOKENS + ", D " + WIDTH,
                KernelCatalog.rmsNormShape(TOKENS, WIDTH),
                numbers * (4 + outBytes) + WIDTH * 4L,
                List.of(
                        new Numbers("x", numbers * 4),
                        new Numbers("weight", WIDTH * 4L),
                        new F32(1e-5f),
                        new I32(WIDTH),
                        new Numbers("out", numbers * outBytes)));
    }

    private static KernelWorkload rope(KernelSignature kernel, int outBytes) {
        long numbers = (long) TOKENS * HEADS * HEAD_SIZE;
        long table = (long) TOKENS * HEAD_SIZE * 4;
        return new KernelWorkload(
                kernel,
                "T " + TOKENS + ", H " + HEADS + ", HD " + HEAD_SIZE,
                KernelCatalog.ropeShape(TOKENS, HEADS, HEAD_SIZE),
                numbers * (4 + outBytes) + table + TOKENS * 4L,
                List.of(
                        new Numbers("in", numbers * 4),
                        new I32(HEADS * HEAD_SIZE),
                        new Numbers("table", table),
                        new Integers("positions", ascending(TOKENS)),
                        new I32(HEADS),
                        new I32(HEAD_SIZE),
                        new I32(HEAD_SIZE),
                        new Numbers("out", numbers * outBytes)));
    }

    private static KernelWorkload ropeStore(KernelSignature kernel, int outBytes) {
        long numbers = (long) TOKENS * KV_HEADS * HEAD_SIZE;
        long table = (long) TOKENS * HEAD_SIZE * 4;
        return new KernelWorkload(
                kernel,
                "T " + TOKENS + ", KV " + KV_HEADS + ", HD " + HEAD_SIZE,
                KernelCatalog.ropeShape(TOKENS, 2 * KV_HEADS, HEAD_SIZE),
                2 * numbers * (4 + outBytes) + table + 2 * TOKENS * 4L,
                List.of(
                        new Numbers("kv", 2 * numbers * 4),
                        new I32(2 * KV_HEADS * HEAD_SIZE),
                        new Numbers("table", table),
                        new Integers("positions", ascending(TOKENS)),
                        new Integers("slots", ascending(TOKENS)),
                        new I32(KV_HEADS),
                        new I32(HEAD_SIZE),
                        new I32(HEAD_SIZE),
                        new Numbers("keys", numbers * outBytes),
                        new Numbers("values", numbers * outBytes)));
    }

    private static KernelWorkload swiglu(KernelSignature kernel, int inBytes, int outBytes) {
        long numbers = (long) TOKENS * FEED_FORWARD;
        return new KernelWorkload(
                kernel,
                "T " + TOKENS + ", F " + FEED_FORWARD,
                KernelCatalog.swigluShape(TOKENS, FEED_FORWARD, Math.max(inBytes, outBytes)),
                numbers * (2 * inBytes + outBytes),
                List.of(
                        new Numbers("gateUp", 2 * numbers * inBytes),
                        new I32(FEED_FORWARD),
                        new Numbers("out", numbers * outBytes)));
    }

    /** A step of a sweep: every token has one of its heads ablated and keeps its norm. */
    private static KernelWorkload scaleHeads(KernelSignature kernel, int bytes) {
        long numbers = (long) TOKENS * HEADS * HEAD_SIZE;
        int[] factors = new int[HEADS * HEADS];
        Arrays.fill(factors, Float.floatToIntBits(1f));
        int[] sets = new int[TOKENS];
        int[] keep = new int[HEADS];
        for (int h = 0; h < HEADS; h++) {
            factors[h * HEADS + h] = 0;
            keep[h] = 1;
        }
        for (int t = 0; t < TOKENS; t++) {
            sets[t] = t % HEADS;
        }
        return new KernelWorkload(
                kernel,
                "T " + TOKENS + ", H " + HEADS + ", HD " + HEAD_SIZE + "; one head ablated, norms kept",
                KernelCatalog.scaleHeadsShape(TOKENS, HEADS, HEAD_SIZE),
                2 * numbers * bytes + (TOKENS + HEADS * HEADS + HEADS) * 4L,
                List.of(
                        new Numbers("z", numbers * bytes),
                        new Integers("setOfToken", sets),
                        new Integers("factors", factors),
                        new Integers("renormalize", keep),
                        new I32(HEADS),
                        new I32(HEAD_SIZE)));
    }

    /** One text, to bf16. */
    private static KernelWorkload attention(int headSize) {
        TokenLayout layout = new TokenLayout();
        layout.addRow(0, 0, 0);
        for (int t = 0; t < ATTENTION_TOKENS; t++) {
            layout.addToken(0, t);
        }
        int[] tiles = AttentionTiles.of(layout, 0);
        int heads = headSize > HEAD_SIZE ? HEADS / 2 : HEADS;
        int kvHeads = headSize > HEAD_SIZE ? KV_HEADS / 2 : KV_HEADS;
        long queries = (long) ATTENTION_TOKENS * heads * headSize * 2;
        long keys = (long) ATTENTION_TOKENS * kvHeads * headSize * 2;
        Numbers noPrefix = new Numbers("no prefix", 16);
        return new KernelWorkload(
                KernelCatalog.attentionOf(headSize),
                "T " + ATTENTION_TOKENS + ", H " + heads + ", KV " + kvHeads + ", HD " + headSize
                        + ", one text to bf16",
                KernelCatalog.attentionShape(tiles.length / 2, heads),
                2 * queries + 2 * keys + (tiles.length + ATTENTION_TOKENS + 5) * 4L,
                List.of(
                        new Numbers("q", queries),
                        noPrefix,
                        noPrefix,
                        new Numbers("keys", keys),
                        new Numbers("values", keys),
                        new Integers("rowStart", 0, ATTENTION_TOKENS),
                        new Integers("positions", ascending(ATTENTION_TOKENS)),
                        new Integers("prefixStart", 0),
                        new Integers("prefixLength", 0),
                        new Integers("ownStart", 0),
                        new Integers("tiles", tiles),
                        new I32(heads),
                        new I32(kvHeads),
                        new I32(0),
                        new F32((float) (1 / Math.sqrt(headSize))),
                        new Null(),
                        new Numbers("z", queries)));
    }

    private static KernelWorkload product(KernelSignature kernel, int tokens, int rows, int columns, int bytes) {
        long a = (long) tokens * columns * bytes;
        long weights = (long) rows * columns * bytes;
        long out = (long) tokens * rows * 4;
        boolean tiles = kernel.sharedBytes() > 0;
        return new KernelWorkload(
                kernel,
                "T " + tokens + ", rows " + rows + ", columns " + columns,
                tiles ? KernelCatalog.matmulShape(kernel, tokens, rows) : KernelCatalog.matvecShape(tokens, rows),
                a + weights + out,
                List.of(
                        new Numbers("a", a),
                        new I32(columns),
                        new Numbers("weights", weights),
                        new I32(columns),
                        new Null(),
                        new Numbers("out", out),
                        new I32(rows),
                        new I32(tokens),
                        new I32(rows),
                        new I32(columns),
                        new I32(0)));
    }

    private static int[] ascending(int count) {
        int[] values = new int[count];
        Arrays.setAll(values, i -> i);
        return values;
    }
}
