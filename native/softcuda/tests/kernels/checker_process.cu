// Kernels whose results tell the order in which blocks and warps ran, and one that takes several parameters.

extern "C" __global__ void block_order(unsigned* out, unsigned* counter) {
    if (threadIdx.x == 0) out[blockIdx.x] = atomicAdd(counter, 1u);
}

extern "C" __global__ void warp_order(unsigned* out, unsigned* counter) {
    if (threadIdx.x % 32 == 0) out[threadIdx.x / 32] = atomicAdd(counter, 1u);
}

extern "C" __global__ void three_parameters(unsigned* out, unsigned char small, unsigned value) { out[threadIdx.x] = small + value; }

extern "C" __global__ void write_words(unsigned* out) { out[threadIdx.x] = threadIdx.x; }  // defect

extern "C" __global__ void poison(unsigned* out, const unsigned* in) {
    __shared__ unsigned s[32];
    unsigned a[8];
    for (int k = in[1024]; k < 4; k++) a[k] = s[k + 1] = k;
    out[0] = in[0];
    out[1] = s[in[1024]];
    out[2] = a[in[1025]];
}
