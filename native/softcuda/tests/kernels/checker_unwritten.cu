// Reads of memory that nothing wrote, and of memory that something did.

extern "C" __global__ void copy_words(unsigned* out, const unsigned* in, int n) {
    if (threadIdx.x < n) {
        unsigned value = in[threadIdx.x];  // defect
        out[threadIdx.x] = value;
    }
}

extern "C" __global__ void copy_float4(float4* out, const float4* in) {
    out[threadIdx.x] = in[threadIdx.x];  // defect
}

extern "C" __global__ void fill(unsigned* out, int n) {
    if (threadIdx.x < n) out[threadIdx.x] = threadIdx.x;
}

extern "C" __global__ void fill_bytes(unsigned char* out, int n) {
    for (int k = threadIdx.x; k < n; k += blockDim.x) out[k] = 1;
}

extern "C" __global__ void add_one(unsigned* out) {
    atomicAdd(out + threadIdx.x, threadIdx.x);  // defect
}

extern "C" __global__ void exchange(unsigned* out, unsigned* in) {
    unsigned old = atomicExch(in + threadIdx.x, threadIdx.x);  // defect
    out[threadIdx.x] = old;
}

extern "C" __global__ void read_shared(unsigned* out, int n) {
    __shared__ unsigned s[64];
    if (threadIdx.x < n) s[threadIdx.x] = threadIdx.x;
    __syncthreads();
    out[threadIdx.x] = s[63 - threadIdx.x];  // defect
}

extern "C" __global__ void read_dynamic_shared(unsigned* out, int n) {
    extern __shared__ unsigned char d[];
    for (int k = threadIdx.x; k < n; k += blockDim.x) d[k] = 0;
    __syncthreads();
    out[threadIdx.x] = reinterpret_cast<const unsigned*>(d)[threadIdx.x];  // defect
}

// The blocks after the first find what an earlier one left, if they run in the same place.
extern "C" __global__ void read_stale_shared(unsigned* out, int writers) {
    __shared__ unsigned s[32];
    if (blockIdx.x < writers) s[threadIdx.x] = threadIdx.x;
    __syncthreads();
    out[blockIdx.x * 32 + threadIdx.x] = s[threadIdx.x];  // defect
}

extern "C" __global__ void read_local(unsigned* out, int n, int index) {
    unsigned a[8];
    for (int k = 0; k < n; k++) a[k & 7] = k + threadIdx.x;
    out[threadIdx.x] = a[(index + threadIdx.x) & 7];  // defect
}

__device__ __noinline__ unsigned scratch(int n, int index) {
    unsigned a[8];
    for (int k = 0; k < n; k++) a[k & 7] = k + threadIdx.x;
    return a[index];  // defect of call_twice
}

// What an earlier call wrote into its local memory is gone.
extern "C" __global__ void call_twice(unsigned* out, int n, int index) { out[threadIdx.x] = scratch(8, index) + scratch(n, index); }

// A tail that is padded with zeros instead of read.
extern "C" __global__ void sum_padded(unsigned* out, const unsigned* in, int n) {
    __shared__ unsigned s[32];
    s[threadIdx.x] = threadIdx.x < n ? in[threadIdx.x] : 0;
    __syncthreads();
    for (int step = 16; step > 0; step /= 2) {
        if (threadIdx.x < step) s[threadIdx.x] += s[threadIdx.x + step];
        __syncthreads();
    }
    if (threadIdx.x == 0) *out = s[0];
}
