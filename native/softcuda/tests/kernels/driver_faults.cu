// Kernels that fail, each in one way.
#include <cassert>

extern "C" __global__ void write_past(int* out, int n) { out[n] = 1; }

extern "C" __global__ void read_null(int* out, const int* in) { out[0] = in[0]; }

extern "C" __global__ void misaligned(char* out) { *reinterpret_cast<int*>(out + 2) = 1; }

extern "C" __global__ void trapped(int* out) {
    if (threadIdx.x == 3) __trap();
    out[threadIdx.x] = 1;
}

extern "C" __global__ void asserted(int* out) {
    assert(threadIdx.x != 5);
    out[threadIdx.x] = 1;
}

// Reads what the neighbour warp wrote, with no barrier between.
extern "C" __global__ void raced(int* out) {
    __shared__ int words[64];
    words[threadIdx.x] = threadIdx.x;
    out[threadIdx.x] = words[63 - threadIdx.x];
}

extern "C" __global__ void well(int* out) { out[threadIdx.x] = threadIdx.x; }
