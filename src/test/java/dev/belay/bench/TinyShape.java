package dev.belay.bench;

/** Shapes small enough for a test. */
final class TinyShape {
    static final ModelShape LLAMA = new ModelShape(
            "tiny", "LlamaForCausalLM", "llama", 2, 4, 2, 8, 32, 48, 64, 256, 1e-5, 1e4, true, false, 1, 2);
    static final ModelShape QWEN = new ModelShape(
            "tiny-qwen", "Qwen3ForCausalLM", "qwen3", 1, 4, 2, 16, 32, 48, 64, 256, 1e-6, 1e6, false, true, 1, 2);

    private TinyShape() {}
}
