// Races in shared memory between warps and within one; each wrong kernel beside the right one.

extern "C" __global__ void write_write(unsigned* out) {
    __shared__ unsigned s[32];
    s[threadIdx.x & 31] = threadIdx.x;  // defect
    __syncthreads();
    out[threadIdx.x] = s[threadIdx.x & 31];
}

extern "C" __global__ void exchange_unsynced(unsigned* out) {
    __shared__ unsigned s[64];
    s[threadIdx.x] = 0;
    __syncthreads();
    s[threadIdx.x] = threadIdx.x;            // defect
    out[threadIdx.x] = s[63 - threadIdx.x];  // defect
}

extern "C" __global__ void exchange_synced(unsigned* out) {
    __shared__ unsigned s[64];
    s[threadIdx.x] = 63 - threadIdx.x;
    __syncthreads();
    out[threadIdx.x] = s[63 - threadIdx.x];
}

// The second half overwrites what the first half may still read.
extern "C" __global__ void read_write(unsigned* out) {
    __shared__ unsigned s[32];
    if (threadIdx.x < 32) s[threadIdx.x] = threadIdx.x;
    __syncthreads();
    if (threadIdx.x < 32)
        out[threadIdx.x] = s[31 - threadIdx.x];  // defect
    else
        s[threadIdx.x - 32] = 7;  // defect
}

extern "C" __global__ void read_write_synced(unsigned* out) {
    __shared__ unsigned s[32];
    if (threadIdx.x < 32) s[threadIdx.x] = 31 - threadIdx.x;
    __syncthreads();
    if (threadIdx.x < 32) out[threadIdx.x] = s[31 - threadIdx.x];
    __syncthreads();
    if (threadIdx.x >= 32) s[threadIdx.x - 32] = threadIdx.x;
    __syncthreads();
    if (threadIdx.x < 32) out[threadIdx.x + 32] = s[threadIdx.x];
}

// Two warps share 32-bit words, and no byte.
extern "C" __global__ void bytes_of_words(unsigned* out) {
    __shared__ __align__(4) unsigned char s[64];
    s[(threadIdx.x & 31) * 2 + threadIdx.x / 32] = threadIdx.x;
    __syncthreads();
    out[threadIdx.x] = s[(threadIdx.x & 31) * 2 + threadIdx.x / 32];
}

extern "C" __global__ void byte_of_another_word(unsigned* out) {
    __shared__ __align__(4) unsigned char s[128];
    if (threadIdx.x < 32)
        reinterpret_cast<unsigned*>(s)[threadIdx.x] = 0;  // defect
    else
        s[(threadIdx.x - 32) * 4 + 3] = 1;  // defect
    __syncthreads();
    out[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void read_only(unsigned* out) {
    __shared__ unsigned s[32];
    if (threadIdx.x < 32) s[threadIdx.x] = threadIdx.x;
    __syncthreads();
    unsigned sum = 0;
    for (int k = 0; k < 32; k++) sum += s[(k + threadIdx.x) & 31];
    out[threadIdx.x] = sum;
}

extern "C" __global__ void atomics(unsigned* out) {
    __shared__ unsigned sum;
    if (threadIdx.x == 0) sum = 0;
    __syncthreads();
    atomicAdd(&sum, 1u);
    __syncthreads();
    out[threadIdx.x] = sum;
}

extern "C" __global__ void read_beside_atomics(unsigned* out) {
    __shared__ unsigned sum;
    if (threadIdx.x == 0) sum = 0;
    __syncthreads();
    if (threadIdx.x < 32)
        atomicAdd(&sum, 1u);  // defect
    else
        out[threadIdx.x] = sum;  // defect
}

// out = sums over the steps of what the mirrored thread loaded.
extern "C" __global__ void one_buffer(unsigned* out, int steps) {
    __shared__ unsigned s[64];
    unsigned sum = 0;
    for (int step = 0; step < steps; step++) {
        s[threadIdx.x] = threadIdx.x + step;  // defect
        __syncthreads();
        sum += s[63 - threadIdx.x];  // defect
    }
    out[threadIdx.x] = sum;
}

extern "C" __global__ void one_buffer_two_barriers(unsigned* out, int steps) {
    __shared__ unsigned s[64];
    unsigned sum = 0;
    for (int step = 0; step < steps; step++) {
        s[threadIdx.x] = 63 - threadIdx.x + step;
        __syncthreads();
        sum += s[63 - threadIdx.x];
        __syncthreads();
    }
    out[threadIdx.x] = sum;
}

extern "C" __global__ void two_buffers(unsigned* out, int steps) {
    __shared__ unsigned s[2][64];
    unsigned sum = 0;
    for (int step = 0; step < steps; step++) {
        s[step & 1][threadIdx.x] = 63 - threadIdx.x + step;
        __syncthreads();
        sum += s[step & 1][63 - threadIdx.x];
    }
    out[threadIdx.x] = sum;
}

// A block-wide sum that is used twice with the same scratch memory.
extern "C" __global__ void reduce_twice(unsigned* out) {
    __shared__ unsigned s[2];
    unsigned total = 0;
    for (int round = 0; round < 2; round++) {
        unsigned sum = __reduce_add_sync(0xffffffffu, threadIdx.x);
        if (threadIdx.x % 32 == 0) s[threadIdx.x / 32] = sum;  // defect
        __syncthreads();
        total += s[0] + s[1];  // defect
    }
    out[threadIdx.x] = total;
}

extern "C" __global__ void reduce_twice_synced(unsigned* out) {
    __shared__ unsigned s[2];
    unsigned total = 0;
    for (int round = 0; round < 2; round++) {
        unsigned sum = __reduce_add_sync(0xffffffffu, threadIdx.x);
        __syncthreads();
        if (threadIdx.x % 32 == 0) s[threadIdx.x / 32] = sum;
        __syncthreads();
        total += s[0] + s[1];
    }
    out[threadIdx.x] = total;
}

// --- Within one warp --------------------------------------------------------------------------------------------------------------

extern "C" __global__ void warp_exchange(unsigned* out) {
    __shared__ unsigned s[32];
    s[threadIdx.x] = threadIdx.x;
    out[threadIdx.x] = s[31 - threadIdx.x];  // defect
}

extern "C" __global__ void warp_exchange_synced(unsigned* out) {
    __shared__ unsigned s[32];
    s[threadIdx.x] = 31 - threadIdx.x;
    __syncwarp();
    out[threadIdx.x] = s[31 - threadIdx.x];
}

extern "C" __global__ void warp_exchange_shuffled(unsigned* out) {
    __shared__ unsigned s[32];
    s[threadIdx.x] = 31 - threadIdx.x;
    unsigned lane = __shfl_xor_sync(0xffffffffu, threadIdx.x, 31);
    out[threadIdx.x] = s[lane];
}

extern "C" __global__ void warp_own_place(unsigned* out) {
    __shared__ unsigned s[32];
    volatile unsigned* own = s + threadIdx.x;
    *own = 0;
    for (int k = 0; k < 4; k++) *own += threadIdx.x;
    out[threadIdx.x] = *own;
}

extern "C" __global__ void warp_read_write(unsigned* out) {
    __shared__ unsigned s[32];
    s[threadIdx.x] = threadIdx.x;
    __syncwarp();
    unsigned value = s[31 - threadIdx.x];
    s[threadIdx.x] = value + 1;  // defect
    __syncwarp();
    out[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void warp_reduce(unsigned* out) {
    __shared__ unsigned s[32];
    s[threadIdx.x] = threadIdx.x;
    __syncwarp();
    for (int step = 16; step > 0; step /= 2)
        if (threadIdx.x < step) s[threadIdx.x] += s[threadIdx.x + step];  // defect
    if (threadIdx.x == 0) out[0] = s[0];
}

extern "C" __global__ void warp_reduce_synced(unsigned* out) {
    __shared__ unsigned s[32];
    s[threadIdx.x] = threadIdx.x;
    __syncwarp();
    for (int step = 16; step > 0; step /= 2) {
        if (threadIdx.x < step) s[threadIdx.x] += s[threadIdx.x + step];
        __syncwarp();
    }
    if (threadIdx.x == 0) out[0] = s[0];
}

// One instruction, many lanes, one place.
extern "C" __global__ void one_place(unsigned* out, unsigned factor) {
    __shared__ unsigned s[1];
    s[0] = threadIdx.x * factor + 5;  // defect
    __syncthreads();
    out[threadIdx.x] = s[0];
}

// Each half of the warp synchronises by itself, and then reads its own half or the other one.
extern "C" __global__ void half_warps(unsigned* out, unsigned flip) {
    __shared__ unsigned s[32];
    s[threadIdx.x] = threadIdx.x ^ flip;
    if (threadIdx.x < 16)
        __syncwarp(0xffffu);
    else
        __syncwarp(0xffff0000u);
    out[threadIdx.x] = s[threadIdx.x ^ flip];  // defect
}

// ldmatrix reads rows that other lanes wrote.
extern "C" __global__ void load_matrix(unsigned* out, int synced) {
    __shared__ __align__(16) unsigned short s[8][8];
    reinterpret_cast<unsigned*>(s)[threadIdx.x] = threadIdx.x;
    if (synced) __syncwarp();
    unsigned row = static_cast<unsigned>(__cvta_generic_to_shared(s[threadIdx.x & 7])), r;
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];" : "=r"(r) : "r"(row) : "memory");  // defect
    out[threadIdx.x] = r;
}
