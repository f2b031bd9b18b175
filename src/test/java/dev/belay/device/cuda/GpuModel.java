package dev.belay.device.cuda;

/**
 * The peak rates that NVIDIA's data sheets give for a GPU.
 *
 * @param gigabytes memory bandwidth, 10⁹ bytes a second
 * @param tensorTeraflops dense bf16 products with float32 sums, 10¹² operations a second
 * @param floatTeraflops float32 outside the tensor cores, 10¹² operations a second
 * @param source where the rates are from
 */
record GpuModel(String name, double gigabytes, double tensorTeraflops, double floatTeraflops, String source) {
    static final GpuModel[] ALL = {
        new GpuModel("A100 SXM 80 GB", 2039, 312, 19.5, "NVIDIA A100 Tensor Core GPU data sheet"),
        new GpuModel(
                "H100 SXM", 3350, 989.5, 67, "NVIDIA H100 Tensor Core GPU data sheet (half of the rate with sparsity)"),
        new GpuModel("RTX 4090", 1008, 165.2, 82.6, "NVIDIA Ada GPU Architecture white paper, appendix A"),
    };

    /** What a launch costs besides its work, in microseconds: an assumption of the usual order, on no data sheet. */
    static final double LAUNCH_MICROSECONDS = 3;

    /** Predicted microseconds of a launch that moves {@code bytes} from and to memory. */
    double microseconds(double bytes, double mmaFlops, double floatFlops) {
        double memory = bytes / (gigabytes * 1e3);
        double tensor = mmaFlops / (tensorTeraflops * 1e6);
        double floats = floatFlops / (floatTeraflops * 1e6);
        return Math.max(memory, Math.max(tensor, floats)) + LAUNCH_MICROSECONDS;
    }
}
