// Kernels for the tests of the driver API: small, and each shows one thing about modules, launches, streams or graphs.

struct Pair {
    int first;
    double second;
};

__device__ int counter = 7;
__device__ float table[5] = {1.5f, -2.0f, 0.25f, 4.0f, 8.0f};
__constant__ int scale[4] = {2, 3, 5, 7};

// out[i] = value, i < n
extern "C" __global__ void fill(int* out, int value, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = value;
}

// out[i] = in[i], i < n
extern "C" __global__ void copy(int* out, const int* in, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = in[i];
}

// out[i] = in[i] + add, i < n
extern "C" __global__ void plus(int* out, const int* in, int add, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = in[i] + add;
}

// out[i] of floats after `rounds` steps whose rounding errors depend on every bit, i < n
extern "C" __global__ void churn(float* out, const float* in, int rounds, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float x = in[i];
    for (int r = 0; r < rounds; r++) x = x * 1.0009765f + 1.0f / (x + 3.0f);
    out[i] = x;
}

// Parameters of several sizes and alignments: offsets 0, 8, 16, 20, 24
extern "C" __global__ void parameters(char a, double b, short c, int d, Pair e, double* out) {
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
    out[4] = e.first;
    out[5] = e.second;
}

extern "C" __global__ void none() {}

// out[0] += 1, for each thread of the grid
extern "C" __global__ void arrive(int* out) { atomicAdd(out, 1); }

// out[linear thread] = bits of block and thread indices, in a grid and block of three dimensions
extern "C" __global__ void geometry(unsigned long long* out) {
    unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    unsigned long long bits = 0;
    unsigned parts[6] = {blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z};
    for (int i = 0; i < 6; i++) bits = bits << 10 | parts[i];
    out[block * (blockDim.x * blockDim.y * blockDim.z) + thread] = bits;
}

// Reverses `n` integers of one block through dynamic shared memory.
extern "C" __global__ void reverse(int* out, const int* in, int n) {
    extern __shared__ int dynamic[];
    for (int i = threadIdx.x; i < n; i += blockDim.x) dynamic[i] = in[i];
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x) out[i] = dynamic[n - 1 - i];
}

// 4096 bytes of static shared memory, at most 128 threads
extern "C" __global__ void __launch_bounds__(128) bounded(int* out, const int* in) {
    __shared__ int fixed[1024];
    for (int i = threadIdx.x; i < 1024; i += blockDim.x) fixed[i] = in[i];
    __syncthreads();
    for (int i = threadIdx.x; i < 1024; i += blockDim.x) out[i] = fixed[1023 - i];
}

// out[0] = counter, out[1..5] = 4 * table, out[6..9] = scale; then counter += 1
extern "C" __global__ void variables(float* out) {
    out[0] = counter;
    for (int i = 0; i < 5; i++) out[1 + i] = 4.0f * table[i];
    for (int i = 0; i < 4; i++) out[6 + i] = scale[i];
    counter += 1;
}

// Local memory: an array indexed by what is read.
extern "C" __global__ void spill(int* out, const int* in) {
    int local[64];
    for (int i = 0; i < 64; i++) local[i] = in[i];
    for (int i = 0; i < 64; i++) out[i] = local[in[i] & 63];
}

// The architecture that the chosen image was compiled for.
extern "C" __global__ void architecture(int* out) { out[0] = __CUDA_ARCH__; }
