// Kernels whose speed `make bench` measures: a hot loop of mma, an arithmetic mix.
extern "C" __global__ void mma_loop(float* out, int rounds) {
    unsigned a0 = threadIdx.x, a1 = a0 * 3, a2 = a0 * 5, a3 = a0 * 7, b0 = a0 ^ 0x3f803f80u, b1 = a0 + 1;
    float c0 = 0, c1 = 0, c2 = 0, c3 = 0;
    for (int i = 0; i < rounds; i++) {
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(c0), "+f"(c1), "+f"(c2), "+f"(c3)
                     : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
    }
    out[blockIdx.x * blockDim.x + threadIdx.x] = c0 + c1 + c2 + c3;
}

extern "C" __global__ void mix_loop(float* out, int rounds) {
    float x = threadIdx.x * 0.01f, y = 1.0f;
    unsigned u = threadIdx.x;
    for (int i = 0; i < rounds; i++) {
        y = fmaf(x, y, 0.5f);
        u = u * 1664525u + 1013904223u;
        x = (u >> 31) ? x + 0.25f : x * 0.75f;
        y = fminf(y, 4.0f);
    }
    out[blockIdx.x * blockDim.x + threadIdx.x] = x + y;
}
