// Accesses to global, shared and local memory at places that the host chooses: inside, outside, misaligned.

extern "C" __global__ void read_global(unsigned* out, const unsigned* in, long long base) {
    unsigned value = in[base + blockIdx.x * blockDim.x + threadIdx.x];  // defect
    out[blockIdx.x * blockDim.x + threadIdx.x] = value;
}

extern "C" __global__ void write_global(unsigned* out, long long base) {
    out[base + blockIdx.x * blockDim.x + threadIdx.x] = threadIdx.x;  // defect
}

extern "C" __global__ void add_global(unsigned* out, long long base) {
    atomicAdd(out + base + threadIdx.x, 1u);  // defect
}

extern "C" __global__ void copy_guarded(unsigned* out, const unsigned* in, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = in[i];
}

extern "C" __global__ void read_bytes(unsigned char* out, const unsigned char* in) {
    out[threadIdx.x] = in[threadIdx.x];  // defect
}

__device__ __noinline__ unsigned fetch(const unsigned* in, long long i) {
    return in[i];  // defect of read_in_function
}

extern "C" __global__ void read_in_function(unsigned* out, const unsigned* in, long long base) {
    out[threadIdx.x] = fetch(in, base + threadIdx.x);
}

__device__ unsigned table[8] = {0, 1, 2, 3, 4, 5, 6, 7};

extern "C" __global__ void read_table(unsigned* out, int base) {
    out[threadIdx.x] = table[base + threadIdx.x];  // defect
}

extern "C" __global__ void read_float4(float4* out, const char* in, long long offset) {
    out[threadIdx.x] = *reinterpret_cast<const float4*>(in + offset);  // defect
}

extern "C" __global__ void write_float4(char* out, long long offset) {
    *reinterpret_cast<float4*>(out + offset) = make_float4(1, 2, 3, 4);  // defect
}

extern "C" __global__ void read_float2(float2* out, const char* in, long long offset) {
    out[threadIdx.x] = *reinterpret_cast<const float2*>(in + offset);  // defect
}

extern "C" __global__ void read_double(double* out, const char* in, long long offset) {
    double v = *reinterpret_cast<const double*>(in + offset);  // defect
    out[threadIdx.x] = v;
}

extern "C" __global__ void write_short(char* out, long long offset) {
    *reinterpret_cast<short*>(out + offset) = 7;  // defect
}

extern "C" __global__ void add_misaligned(char* out, long long offset) {
    atomicAdd(reinterpret_cast<unsigned*>(out + offset), 1u);  // defect
}

extern "C" __global__ void read_static_shared(unsigned* out, int index) {
    __shared__ unsigned s[32];
    s[threadIdx.x] = threadIdx.x;
    __syncthreads();
    out[threadIdx.x] = s[index];  // defect
}

extern "C" __global__ void write_static_shared(unsigned* out, int index) {
    __shared__ unsigned s[32];
    s[threadIdx.x] = 0;
    __syncthreads();
    if (threadIdx.x == 3) s[index] = 5;  // defect
    __syncthreads();
    out[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void read_dynamic_shared(unsigned* out, int index) {
    extern __shared__ unsigned d[];
    d[threadIdx.x] = threadIdx.x;
    __syncthreads();
    out[threadIdx.x] = d[index];  // defect
}

extern "C" __global__ void write_dynamic_shared(unsigned* out, int index) {
    extern __shared__ unsigned d[];
    d[threadIdx.x + index] = threadIdx.x;  // defect
    __syncthreads();
    out[threadIdx.x] = d[threadIdx.x + index];  // defect
}

// A pointer that may be to shared or to global memory, so that the access is generic.
extern "C" __global__ void read_generic(unsigned* out, const unsigned* in, int index, int choose) {
    __shared__ unsigned s[32];
    s[threadIdx.x] = threadIdx.x;
    __syncthreads();
    const unsigned* p = choose ? s : in;
    out[threadIdx.x] = p[index];  // defect
}

extern "C" __global__ void read_shared_float4(float4* out, int offset) {
    __shared__ __align__(16) char s[512];
    reinterpret_cast<float4*>(s)[threadIdx.x] = make_float4(0, 1, 2, 3);
    __syncthreads();
    out[threadIdx.x] = *reinterpret_cast<const float4*>(s + offset);  // defect
}

extern "C" __global__ void write_shared_double(double* out, int offset) {
    __shared__ __align__(16) char s[512];
    if (threadIdx.x == 0) *reinterpret_cast<double*>(s + offset) = 1.0;  // defect
    __syncthreads();
    if (threadIdx.x == 0) *out = *reinterpret_cast<const double*>(s + offset);  // defect
}

extern "C" __global__ void read_local(unsigned* out, int index) {
    unsigned a[8];
    for (int k = 0; k < 8; k++) a[(k + index) & 7] = k + threadIdx.x;
    out[threadIdx.x] = a[index];  // defect
}

extern "C" __global__ void write_local(unsigned* out, int index) {
    unsigned a[8];
    for (int k = 0; k < 8; k++) a[(k + index) & 7] = k;
    a[index] = threadIdx.x;  // defect
    unsigned sum = 0;
    for (int k = 0; k < 8; k++) sum += a[(k + index) & 7];
    out[threadIdx.x] = sum;
}

extern "C" __global__ void read_local_double(double* out, int offset) {
    __align__(16) char a[64];
    for (int k = 0; k < 64; k++) a[(k + offset) & 63] = 0;
    out[threadIdx.x] = *reinterpret_cast<const double*>(a + offset);  // defect
}
