package dev.belay.device.cuda;

import dev.belay.device.TokenLayout;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * One launch of each kernel, and of attention also one that keeps norms, in the widths of Llama-3.1-8B: hidden size 4096, 32 heads and 8
 * key/value heads of 128, feed-forward 14336; and of Qwen3-30B-A3B where there are experts: hidden size 2048, 128 experts of 768, of
 * which a token has 8.
 *
 * @param work the shapes in words
 * @param minimumBytes every input read once and every output written once
 * @param flops additions, multiplications, quotients and functions that the result takes
 * @param arguments in the kernel's order
 * @param keepsNorms attention that ablates heads and keeps norms
 */
record KernelWorkload(
        KernelSignature kernel,
        String work,
        LaunchShape shape,
        long minimumBytes,
        long flops,
        List<Argument> arguments,
        boolean keepsNorms) {
    /** Of the label of one that keeps norms, behind the kernel's name. */
    static final String NORMS = ", norms";

    private static final int TOKENS = 256;
    private static final int WIDTH = 4096;
    private static final int FEED_FORWARD = 14336;
    private static final int HEADS = 32;
    private static final int KV_HEADS = 8;
    private static final int HEAD_SIZE = 128;
    private static final int ATTENTION_TOKENS = 512;
    private static final int SAMPLED_ROWS = 4;
    private static final int VOCABULARY = 128256;
    private static final int PROBES = 8;
    private static final int EXPERTS = 128;
    private static final int TOP = 8;
    private static final int EXPERT_WIDTH = 2048;
    private static final int EXPERT_INNER = 768;
    private static final int DECODE_ROWS = 8;
    private static final int DECODE_KEYS = 1024;
    private static final List<Argument> NO_ABLATION = List.of(new Null(), new Null(), new Null());
    /** A byte that makes small float32 and bf16 numbers, 0.01. */
    private static final byte SMALL = 0x3c;

    private KernelWorkload(
            KernelSignature kernel,
            String work,
            LaunchShape shape,
            long minimumBytes,
            long flops,
            List<Argument> arguments) {
        this(kernel, work, shape, minimumBytes, flops, arguments, false);
    }

    /** What a launch gives the kernel. */
    sealed interface Argument {}

    /** Memory of numbers whose values do not matter. */
    record Numbers(String name, long bytes) implements Argument {}

    /** Memory of given integers. */
    record Integers(String name, int... values) implements Argument {}

    record I32(int value) implements Argument {}

    record I64(long value) implements Argument {}

    record F32(float value) implements Argument {}

    /** No memory. */
    record Null() implements Argument {}

    /** The plain launches, then those that keep norms. */
    static List<KernelWorkload> all() {
        return Stream.concat(plain().stream(), keepingNorms().stream()).toList();
    }

    /** Attention that ablates a head of each token and keeps its norm: over tiles, with tensor cores and without, and in decode. */
    static List<KernelWorkload> keepingNorms() {
        return List.of(
                attention(KernelCatalog.attentionOf(HEAD_SIZE), HEAD_SIZE, 2, true),
                attention(KernelCatalog.ATTENTION_ANY_F32, HEAD_SIZE, 4, true),
                attentionDecode(KernelCatalog.ATTENTION_DECODE_BF16, 2, true));
    }

    /** All kernels of the catalog, in its order. */
    static List<KernelWorkload> plain() {
        List<KernelWorkload> all = new ArrayList<>();
        all.add(rmsNorm(KernelCatalog.RMSNORM_F32, 4));
        all.add(rmsNorm(KernelCatalog.RMSNORM_F32_BF16, 2));
        all.add(qkv(KernelCatalog.QKV_F32, 4));
        all.add(qkv(KernelCatalog.QKV_F32_BF16, 2));
        all.add(swiglu(KernelCatalog.SWIGLU_F32, 4));
        all.add(swiglu(KernelCatalog.SWIGLU_F32_BF16, 2));
        all.add(scaleHeads(KernelCatalog.SCALE_HEADS_F32, 4));
        all.add(scaleHeads(KernelCatalog.SCALE_HEADS_BF16, 2));
        all.add(embed(KernelCatalog.EMBED_F32, 4));
        all.add(embed(KernelCatalog.EMBED_BF16_F32, 2));
        all.add(gather(KernelCatalog.GATHER_F32, 4));
        all.add(gather(KernelCatalog.GATHER_BF16, 2));
        all.add(round());
        all.add(ablationNorms(KernelCatalog.ABLATION_NORMS_F32, 4));
        all.add(ablationNorms(KernelCatalog.ABLATION_NORMS_BF16, 2));
        all.add(ablationStart());
        all.add(router());
        all.add(expertGroups());
        all.add(combine());
        all.add(addBias());
        all.add(probe());
        all.add(attribution(KernelCatalog.ATTRIBUTION_F32, 4));
        all.add(attribution(KernelCatalog.ATTRIBUTION_BF16, 2));
        for (int headSize : new int[] {32, 64, 80, 96, 128, 256}) {
            all.add(attention(KernelCatalog.attentionOf(headSize), headSize, 2));
        }
        all.add(greedy());
        all.add(sample());
        all.add(logitScore());
        all.add(attention(KernelCatalog.ATTENTION_ANY_F32, HEAD_SIZE, 4));
        all.add(attention(KernelCatalog.ATTENTION_ANY_BF16, HEAD_SIZE, 2));
        all.add(product(KernelCatalog.MATMUL_BF16_F32, 256, 2048, 1024, 2));
        all.add(product(KernelCatalog.MATMUL_SMALL_BF16_F32, 64, WIDTH, 2048, 2));
        all.add(product(KernelCatalog.MATMUL_F32, 256, 2048, 1024, 4));
        all.add(product(KernelCatalog.MATMUL_SMALL_F32, 64, WIDTH, 2048, 4));
        all.add(product(KernelCatalog.MATVEC_BF16_F32, 8, FEED_FORWARD, WIDTH, 2));
        all.add(product(KernelCatalog.MATVEC_F32, 8, FEED_FORWARD, WIDTH, 4));
        all.add(experts(KernelCatalog.EXPERT_MATMUL_BF16_F32, 256, 4, 2, 1024, 1024, 2));
        all.add(experts(KernelCatalog.EXPERT_MATMUL_SMALL_BF16_F32, 64, 8, 2, 1024, 1024, 2));
        all.add(experts(KernelCatalog.EXPERT_MATMUL_F32, 256, 4, 2, 1024, 1024, 4));
        all.add(experts(KernelCatalog.EXPERT_MATMUL_SMALL_F32, 64, 8, 2, 1024, 1024, 4));
        all.add(experts(KernelCatalog.EXPERT_MATVEC_BF16_F32, 2, EXPERTS, TOP, 2 * EXPERT_INNER, EXPERT_WIDTH, 2));
        all.add(experts(KernelCatalog.EXPERT_MATVEC_F32, 2, EXPERTS, TOP, 2 * EXPERT_INNER, EXPERT_WIDTH, 4));
        all.add(attentionDecode(KernelCatalog.ATTENTION_DECODE_F32, 4));
        all.add(attentionDecode(KernelCatalog.ATTENTION_DECODE_BF16, 2));
        return all;
    }

    /** What a table calls it. */
    String label() {
        return kernel.name() + (keepsNorms ? NORMS : "");
    }

    /** Launches it once and waits. */
    void run(CudaContext context, CudaModule module) {
        try (Prepared prepared = prepare(context, module)) {
            prepared.launch(CudaKernel.DEFAULT_STREAM);
            context.synchronize();
        }
    }

    /** Bytes of memory that {@link #prepare} takes. */
    long allocatedBytes() {
        return arguments.stream()
                .mapToLong(argument -> switch (argument) {
                    case Numbers numbers -> numbers.bytes();
                    case Integers integers -> 4L * integers.values().length;
                    default -> 0;
                })
                .sum();
    }

    /** Bytes of z, the output of attention. */
    long outputBytes() {
        return arguments.stream()
                .filter(argument ->
                        argument instanceof Numbers numbers && numbers.name().equals("z"))
                .mapToLong(argument -> ((Numbers) argument).bytes())
                .sum();
    }

    /** Whether it multiplies on the tensor cores. */
    boolean onTensorCores() {
        String name = kernel.name();
        return name.contains("attention_hd") || name.contains("_mat") && name.contains("bf16");
    }

    /** A workload with its memory on the device, to be launched again and again. */
    static final class Prepared implements AutoCloseable {
        private final CudaKernel kernel;
        private final LaunchShape shape;
        private final long[] words;
        private final List<CudaMemory> memory = new ArrayList<>();

        private Prepared(CudaKernel kernel, LaunchShape shape) {
            this.kernel = kernel;
            this.shape = shape;
            words = new long[kernel.words()];
        }

        void launch(MemorySegment stream) {
            kernel.restore(words, 0).launch(shape, stream);
        }

        private void give(CudaContext context, Argument argument) {
            switch (argument) {
                case Numbers numbers -> {
                    memory.add(context.allocate(numbers.name(), numbers.bytes()));
                    memory.getLast().fill(SMALL);
                    kernel.pointer(memory.getLast());
                }
                case Integers integers -> {
                    memory.add(context.allocate(integers.name(), 4L * integers.values().length));
                    try (Arena arena = Arena.ofConfined()) {
                        memory.getLast().write(0, arena.allocateFrom(ValueLayout.JAVA_INT, integers.values()));
                    }
                    kernel.pointer(memory.getLast());
                }
                case I32 number -> kernel.i32(number.value());
                case I64 number -> kernel.i64(number.value());
                case F32 number -> kernel.f32(number.value());
                case Null none -> kernel.pointer(0);
            }
        }

        @Override
        public void close() {
            memory.forEach(CudaMemory::close);
        }
    }

    /** Allocates and fills its memory. */
    Prepared prepare(CudaContext context, CudaModule module) {
        Prepared prepared = new Prepared(module.kernel(kernel), shape);
        try {
            arguments.forEach(argument -> prepared.give(context, argument));
            prepared.kernel.save(prepared.words, 0);
            return prepared;
        } catch (RuntimeException e) {
            prepared.close();
            throw e;
        }
    }

    private static KernelWorkload rmsNorm(KernelSignature kernel, int outBytes) {
        long numbers = (long) TOKENS * WIDTH;
        return new KernelWorkload(
                kernel,
                "T " + TOKENS + ", D " + WIDTH,
                KernelCatalog.rmsNormShape(TOKENS, WIDTH),
                numbers * (4 + outBytes) + WIDTH * 4L,
                4 * numbers,
                List.of(
                        new Numbers("x", numbers * 4),
                        new Numbers("weight", WIDTH * 4L),
                        new F32(1e-5f),
                        new I32(WIDTH),
                        new Numbers("out", numbers * outBytes)));
    }

    private static KernelWorkload qkv(KernelSignature kernel, int outBytes) {
        int width = (HEADS + 2 * KV_HEADS) * HEAD_SIZE;
        long queries = (long) TOKENS * HEADS * HEAD_SIZE;
        long keys = (long) TOKENS * KV_HEADS * HEAD_SIZE;
        long table = (long) TOKENS * HEAD_SIZE * 4;
        return new KernelWorkload(
                kernel,
                "T " + TOKENS + ", H " + HEADS + ", KV " + KV_HEADS + ", HD " + HEAD_SIZE,
                KernelCatalog.qkvShape(TOKENS, HEADS, KV_HEADS, HEAD_SIZE),
                (queries + 2 * keys) * (4 + outBytes) + table + 2 * TOKENS * 4L,
                3 * (queries + keys),
                List.of(
                        new Numbers("in", (long) TOKENS * width * 4),
                        new I32(width),
                        new Null(),
                        new Null(),
                        new Null(),
                        new F32(1e-5f),
                        new Numbers("table", table),
                        new Integers("positions", ascending(TOKENS)),
                        new Integers("slots", ascending(TOKENS)),
                        new I32(HEADS),
                        new I32(KV_HEADS),
                        new I32(HEAD_SIZE),
                        new I32(HEAD_SIZE),
                        new Numbers("q", queries * outBytes),
                        new Numbers("keys", keys * outBytes),
                        new Numbers("values", keys * outBytes)));
    }

    private static KernelWorkload swiglu(KernelSignature kernel, int outBytes) {
        long numbers = (long) TOKENS * FEED_FORWARD;
        return new KernelWorkload(
                kernel,
                "T " + TOKENS + ", F " + FEED_FORWARD,
                KernelCatalog.swigluShape(TOKENS, FEED_FORWARD),
                numbers * (2 * 4 + outBytes),
                5 * numbers,
                List.of(
                        new Numbers("gateUp", 2 * numbers * 4),
                        new I32(FEED_FORWARD),
                        new Numbers("out", numbers * outBytes)));
    }

    /** A step of a sweep: every token has one of its heads ablated and keeps its norm. */
    private static KernelWorkload scaleHeads(KernelSignature kernel, int bytes) {
        long numbers = (long) TOKENS * HEADS * HEAD_SIZE;
        List<Argument> arguments = new ArrayList<>();
        arguments.add(new Numbers("z", numbers * bytes));
        arguments.addAll(ablation(TOKENS));
        arguments.addAll(List.of(new I32(HEADS), new I32(HEAD_SIZE)));
        return new KernelWorkload(
                kernel,
                "T " + TOKENS + ", H " + HEADS + ", HD " + HEAD_SIZE + ablated(true),
                KernelCatalog.scaleHeadsShape(TOKENS, HEADS, HEAD_SIZE),
                2 * numbers * bytes + ablationBytes(TOKENS),
                6 * numbers,
                arguments);
    }

    /** One head of each token is ablated, and its norm kept: the set of each token, the factors of the sets, and which keep norms. */
    private static List<Argument> ablation(int tokens) {
        int[] factors = new int[HEADS * HEADS];
        Arrays.fill(factors, Float.floatToIntBits(1f));
        int[] keep = new int[HEADS];
        for (int h = 0; h < HEADS; h++) {
            factors[h * HEADS + h] = 0;
            keep[h] = 1;
        }
        int[] sets = new int[tokens];
        Arrays.setAll(sets, t -> t % HEADS);
        return List.of(
                new Integers("setOfToken", sets), new Integers("factors", factors), new Integers("renormalize", keep));
    }

    /** Bytes of {@link #ablation} that {@code tokens} read: those of as many sets as there are, or as there are tokens. */
    private static long ablationBytes(int tokens) {
        return (tokens + Math.min(tokens, HEADS) * (HEADS + 1L)) * 4;
    }

    private static KernelWorkload embed(KernelSignature kernel, int tableBytes) {
        long numbers = (long) TOKENS * WIDTH;
        return new KernelWorkload(
                kernel,
                "T " + TOKENS + ", D " + WIDTH,
                KernelCatalog.embedShape(TOKENS, WIDTH),
                numbers * (tableBytes + 4) + TOKENS * 4L,
                0,
                List.of(
                        new Numbers("table", numbers * tableBytes),
                        new Integers("ids", ascending(TOKENS)),
                        new I32(WIDTH),
                        new Numbers("out", numbers * 4)));
    }

    private static KernelWorkload gather(KernelSignature kernel, int bytes) {
        long numbers = (long) TOKENS * WIDTH;
        return new KernelWorkload(
                kernel,
                TOKENS + " rows, D " + WIDTH,
                KernelCatalog.gatherShape(TOKENS, WIDTH),
                2 * numbers * bytes + TOKENS * 4L,
                0,
                List.of(
                        new Numbers("in", numbers * bytes),
                        new Integers("indices", ascending(TOKENS)),
                        new I32(WIDTH),
                        new Numbers("out", numbers * bytes)));
    }

    private static KernelWorkload round() {
        long numbers = (long) TOKENS * WIDTH;
        return new KernelWorkload(
                KernelCatalog.ROUND_F32_BF16,
                "T " + TOKENS + ", D " + WIDTH,
                KernelCatalog.roundShape(TOKENS, WIDTH),
                numbers * (4 + 2),
                0,
                List.of(
                        new Numbers("in", numbers * 4),
                        new I32(WIDTH),
                        new I32(WIDTH),
                        new Numbers("out", numbers * 2)));
    }

    private static KernelWorkload ablationNorms(KernelSignature kernel, int bytes) {
        long numbers = (long) TOKENS * HEADS * HEAD_SIZE;
        return new KernelWorkload(
                kernel,
                "T " + TOKENS + ", H " + HEADS + ", HD " + HEAD_SIZE + ", G " + HEADS,
                KernelCatalog.ablationNormsShape(TOKENS, HEADS),
                numbers * bytes + HEADS * 8L + TOKENS * HEADS * 4L,
                2 * numbers + (long) TOKENS * HEADS * HEADS,
                List.of(
                        new Numbers("z", numbers * bytes),
                        new Numbers("factors", HEADS * 4L),
                        new Integers("chosen", ascending(HEADS)),
                        new I32(HEADS),
                        new I32(HEADS),
                        new I32(HEAD_SIZE),
                        new Numbers("norms", TOKENS * HEADS * 4L)));
    }

    private static KernelWorkload ablationStart() {
        int tokens = TOKENS / HEADS;
        long numbers = (long) tokens * WIDTH;
        return new KernelWorkload(
                KernelCatalog.ABLATION_START_F32,
                "G " + HEADS + ", T " + tokens + ", D " + WIDTH + ", norms kept",
                KernelCatalog.ablationStartShape(HEADS, tokens, WIDTH),
                (2 + 2 * HEADS) * numbers * 4 + TOKENS * 4L,
                3 * HEADS * numbers,
                List.of(
                        new Numbers("x", numbers * 4),
                        new Numbers("attention", numbers * 4),
                        new Numbers("norms", TOKENS * 4L),
                        new I32(HEADS),
                        new I32(tokens),
                        new I32(WIDTH),
                        new Numbers("out", HEADS * numbers * 4)));
    }

    private static KernelWorkload router() {
        long pairs = (long) TOKENS * TOP;
        return new KernelWorkload(
                KernelCatalog.ROUTER_F32,
                "T " + TOKENS + ", E " + EXPERTS + ", k " + TOP + ", normalised",
                KernelCatalog.routerShape(TOKENS),
                ((long) TOKENS * EXPERTS + 2 * pairs) * 4,
                2L * TOKENS * EXPERTS,
                List.of(
                        logits(TOKENS, EXPERTS),
                        new I32(TOKENS),
                        new I32(EXPERTS),
                        new I32(TOP),
                        new I32(1),
                        new Numbers("experts", pairs * 4),
                        new Numbers("shares", pairs * 4)));
    }

    private static KernelWorkload expertGroups() {
        int[] expertOf = ExpertGroups.even(TOKENS, EXPERTS, TOP);
        return new KernelWorkload(
                KernelCatalog.EXPERT_GROUPS,
                "T " + TOKENS + ", E " + EXPERTS + ", k " + TOP,
                KernelCatalog.expertGroupsShape(EXPERTS, expertOf.length),
                (3L * expertOf.length + EXPERTS + 1) * 4,
                0,
                List.of(
                        new Integers("experts", expertOf),
                        new I32(expertOf.length),
                        new Numbers("offsets", (EXPERTS + 1) * 4L),
                        new Numbers("pairs", expertOf.length * 4L),
                        new Numbers("places", expertOf.length * 4L)));
    }

    private static KernelWorkload combine() {
        int[] expertOf = ExpertGroups.even(TOKENS, EXPERTS, TOP);
        long numbers = (long) TOKENS * EXPERT_WIDTH;
        return new KernelWorkload(
                KernelCatalog.COMBINE_F32,
                "T " + TOKENS + ", k " + TOP + ", D " + EXPERT_WIDTH,
                KernelCatalog.addBiasShape(TOKENS, EXPERT_WIDTH),
                ((2L + TOP) * numbers + 2L * expertOf.length) * 4,
                2 * TOP * numbers,
                List.of(
                        new Numbers("in", TOP * numbers * 4),
                        new Integers(
                                "places", ExpertGroups.of(expertOf, EXPERTS).places()),
                        new Numbers("shares", expertOf.length * 4L),
                        new I32(TOP),
                        new I32(EXPERT_WIDTH),
                        new Numbers("x", numbers * 4)));
    }

    /** From rows of tokens, as gate and up are computed. */
    private static KernelWorkload experts(
            KernelSignature kernel, int tokens, int experts, int top, int rows, int columns, int bytes) {
        int[] expertOf = ExpertGroups.even(tokens, experts, top);
        ExpertGroups groups = ExpertGroups.of(expertOf, experts);
        int pairs = expertOf.length;
        long a = (long) tokens * columns * bytes;
        long each = (long) rows * columns * bytes;
        long out = (long) pairs * rows * 4;
        long reached = Arrays.stream(expertOf).distinct().count();
        return new KernelWorkload(
                kernel,
                "T " + tokens + ", E " + experts + ", k " + top + ", rows " + rows + ", columns " + columns,
                KernelCatalog.expertProductShape(kernel, tokens, pairs, experts, rows),
                a + reached * each + out + (experts + 1L + pairs) * 4,
                2L * pairs * rows * columns,
                List.of(
                        new Numbers("a", a),
                        new I32(columns),
                        new Numbers("weights", experts * each),
                        new Integers("experts", expertOf),
                        new Integers("offsets", groups.offsets()),
                        new Integers("pairs", groups.pairs()),
                        new I32(top),
                        new Numbers("out", out),
                        new I32(tokens),
                        new I32(rows),
                        new I32(columns),
                        new I32(experts)));
    }

    private static KernelWorkload addBias() {
        long numbers = (long) TOKENS * WIDTH;
        return new KernelWorkload(
                KernelCatalog.ADD_BIAS_F32,
                "T " + TOKENS + ", D " + WIDTH,
                KernelCatalog.addBiasShape(TOKENS, WIDTH),
                (2 * numbers + WIDTH) * 4,
                numbers,
                List.of(new Numbers("x", numbers * 4), new Numbers("bias", WIDTH * 4L), new I32(WIDTH)));
    }

    private static KernelWorkload probe() {
        long numbers = (long) TOKENS * WIDTH;
        return new KernelWorkload(
                KernelCatalog.PROBE_F32,
                "T " + TOKENS + ", D " + WIDTH + ", N " + PROBES + "; normed",
                KernelCatalog.probeShape(TOKENS, WIDTH),
                (numbers + (1L + PROBES) * WIDTH + (long) TOKENS * PROBES) * 4,
                (4 + 2 * PROBES) * numbers,
                List.of(
                        new Numbers("x", numbers * 4),
                        new Numbers("norm", WIDTH * 4L),
                        new F32(1e-5f),
                        new Numbers("vectors", (long) PROBES * WIDTH * 4),
                        new I32(PROBES),
                        new I32(WIDTH),
                        new Numbers("out", (long) TOKENS * PROBES * 4)));
    }

    private static KernelWorkload attribution(KernelSignature kernel, int bytes) {
        long numbers = (long) TOKENS * HEADS * HEAD_SIZE;
        return new KernelWorkload(
                kernel,
                "T " + TOKENS + ", H " + HEADS + ", HD " + HEAD_SIZE,
                KernelCatalog.attributionShape(TOKENS, HEADS, HEAD_SIZE),
                numbers * bytes + HEADS * HEAD_SIZE * 4L + TOKENS * HEADS * 4L,
                2 * numbers,
                List.of(
                        new Numbers("z", numbers * bytes),
                        new Numbers("u", HEADS * HEAD_SIZE * 4L),
                        new I32(HEADS),
                        new I32(HEAD_SIZE),
                        new Numbers("out", TOKENS * HEADS * 4L)));
    }

    private static KernelWorkload attention(KernelSignature kernel, int headSize, int bytes) {
        return attention(kernel, headSize, bytes, false);
    }

    /** One text, to numbers of the inputs' size. */
    private static KernelWorkload attention(KernelSignature kernel, int headSize, int bytes, boolean keepsNorms) {
        TokenLayout layout = new TokenLayout();
        layout.addRow(0, 0, 0);
        for (int t = 0; t < ATTENTION_TOKENS; t++) {
            layout.addToken(0, t);
        }
        int[] tiles = AttentionTiles.of(layout, 0);
        int heads = headSize > HEAD_SIZE ? HEADS / 2 : HEADS;
        int kvHeads = headSize > HEAD_SIZE ? KV_HEADS / 2 : KV_HEADS;
        long queries = (long) ATTENTION_TOKENS * heads * headSize * bytes;
        long keys = (long) ATTENTION_TOKENS * kvHeads * headSize * bytes;
        Numbers noPrefix = new Numbers("no prefix", 16);
        List<Argument> arguments = new ArrayList<>(List.of(
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
                new I32(kvHeads)));
        if (kernel == KernelCatalog.ATTENTION_ANY_F32 || kernel == KernelCatalog.ATTENTION_ANY_BF16) {
            arguments.add(new I32(headSize));
        }
        Numbers z = new Numbers("z", queries);
        arguments.addAll(List.of(new I32(0), new F32((float) (1 / Math.sqrt(headSize)))));
        arguments.addAll(keepsNorms ? ablation(ATTENTION_TOKENS) : NO_ABLATION);
        arguments.add(keepsNorms ? new Integers("counters", new int[tiles.length / 2]) : new Null());
        arguments.addAll(List.of(new Null(), z));
        long numbers = (long) ATTENTION_TOKENS * heads * headSize;
        return new KernelWorkload(
                kernel,
                "T " + ATTENTION_TOKENS + ", H " + heads + ", KV " + kvHeads + ", HD " + headSize + ", one text to "
                        + (bytes == 4 ? "f32" : "bf16") + ablated(keepsNorms),
                KernelCatalog.attentionShape(tiles.length / 2, heads),
                2 * queries
                        + 2 * keys
                        + (tiles.length + ATTENTION_TOKENS + 5) * 4L
                        + (keepsNorms ? ablationBytes(ATTENTION_TOKENS) : 0),
                2 * (ATTENTION_TOKENS + 1) * numbers + (keepsNorms ? 6 * numbers : 0),
                arguments,
                keepsNorms);
    }

    private static String ablated(boolean keepsNorms) {
        return keepsNorms ? "; one head ablated, norms kept" : "";
    }

    private static KernelWorkload greedy() {
        return new KernelWorkload(
                KernelCatalog.GREEDY_F32,
                "R " + SAMPLED_ROWS + ", V " + VOCABULARY,
                KernelCatalog.sampleShape(SAMPLED_ROWS),
                (long) SAMPLED_ROWS * (VOCABULARY + 1) * 4,
                (long) SAMPLED_ROWS * VOCABULARY,
                List.of(
                        logits(SAMPLED_ROWS, VOCABULARY),
                        new I32(VOCABULARY),
                        new Numbers("tokens", SAMPLED_ROWS * 4L)));
    }

    /** Top-k and top-p both act. */
    private static KernelWorkload sample() {
        return new KernelWorkload(
                KernelCatalog.SAMPLE_F32,
                "R " + SAMPLED_ROWS + ", V " + VOCABULARY + "; top-k 50, top-p 0.9",
                KernelCatalog.sampleShape(SAMPLED_ROWS),
                (long) SAMPLED_ROWS * (VOCABULARY + 3) * 4,
                (long) SAMPLED_ROWS * VOCABULARY,
                List.of(
                        logits(SAMPLED_ROWS, VOCABULARY),
                        new I32(VOCABULARY),
                        new F32(1),
                        new I32(50),
                        new F32(0.9f),
                        new I64(1),
                        new Integers("texts", ascending(SAMPLED_ROWS)),
                        new Integers("positions", ascending(SAMPLED_ROWS)),
                        new Numbers("tokens", SAMPLED_ROWS * 4L)));
    }

    /** Four tokens a row, as those of a question's choices. */
    private static KernelWorkload logitScore() {
        int count = 4 * SAMPLED_ROWS;
        return new KernelWorkload(
                KernelCatalog.LOGIT_SCORE_F32,
                "R " + SAMPLED_ROWS + ", V " + VOCABULARY + ", N " + count,
                KernelCatalog.sampleShape(SAMPLED_ROWS),
                ((long) SAMPLED_ROWS * (VOCABULARY + 1) + 1 + 2L * count) * 4,
                3L * SAMPLED_ROWS * VOCABULARY,
                List.of(
                        logits(SAMPLED_ROWS, VOCABULARY),
                        new I32(VOCABULARY),
                        new Integers(
                                "first",
                                IntStream.rangeClosed(0, SAMPLED_ROWS)
                                        .map(r -> 4 * r)
                                        .toArray()),
                        new Integers("tokens", ascending(count)),
                        new Numbers("scores", count * 4L)));
    }

    /** Between -10 and 10, hardly two equal, in no order. */
    private static Integers logits(int rows, int width) {
        int[] logits = new int[rows * width];
        for (int i = 0; i < logits.length; i++) {
            int token = i % width;
            logits[i] = Float.floatToIntBits((float) (10 * Math.sin(token * 2.4)));
        }
        return new Integers("logits", logits);
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
                2L * tokens * rows * columns,
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

    private static KernelWorkload attentionDecode(KernelSignature kernel, int bytes) {
        return attentionDecode(kernel, bytes, false);
    }

    /** One token of each of some texts. */
    private static KernelWorkload attentionDecode(KernelSignature kernel, int bytes, boolean keepsNorms) {
        int width = HEADS * HEAD_SIZE;
        long slots = (long) DECODE_ROWS * DECODE_KEYS;
        long keys = slots * KV_HEADS * HEAD_SIZE * bytes;
        long z = (long) DECODE_ROWS * width * bytes;
        int[] positions = new int[DECODE_ROWS];
        Arrays.fill(positions, DECODE_KEYS - 1);
        int[] ownStart = ascending(DECODE_ROWS);
        Arrays.setAll(ownStart, r -> r * DECODE_KEYS);
        Numbers noPrefix = new Numbers("no prefix", 16);
        List<Argument> arguments = new ArrayList<>(List.of(
                new Numbers("q", z),
                noPrefix,
                noPrefix,
                new Numbers("keys", keys),
                new Numbers("values", keys),
                new Integers("rowOfToken", ascending(DECODE_ROWS)),
                new Integers("positions", positions),
                new Integers("prefixStart", new int[DECODE_ROWS]),
                new Integers("prefixLength", new int[DECODE_ROWS]),
                new Integers("ownStart", ownStart),
                new I32(HEADS),
                new I32(KV_HEADS),
                new I32(HEAD_SIZE),
                new I32(0),
                new F32((float) (1 / Math.sqrt(HEAD_SIZE)))));
        arguments.addAll(keepsNorms ? ablation(DECODE_ROWS) : NO_ABLATION);
        arguments.addAll(List.of(
                new Numbers(
                        "workspace", KernelCatalog.decodeWorkspaceBytes(DECODE_ROWS, HEADS, HEAD_SIZE, DECODE_KEYS)),
                new Integers("counters", new int[KernelCatalog.decodeCounters(DECODE_ROWS, KV_HEADS)]),
                new Null(),
                new Numbers("z", z)));
        return new KernelWorkload(
                kernel,
                "T " + DECODE_ROWS + ", H " + HEADS + ", KV " + KV_HEADS + ", HD " + HEAD_SIZE + ", " + DECODE_KEYS
                        + " keys each" + ablated(keepsNorms),
                KernelCatalog.decodeShape(DECODE_ROWS, KV_HEADS, DECODE_KEYS),
                2 * z + 2 * keys + 5 * DECODE_ROWS * 4L + (keepsNorms ? ablationBytes(DECODE_ROWS) : 0),
                4 * slots * width + (keepsNorms ? 6L * DECODE_ROWS * width : 0),
                arguments,
                keepsNorms);
    }

    private static int[] ascending(int count) {
        int[] values = new int[count];
        Arrays.setAll(values, i -> i);
        return values;
    }
}
