// Kernels whose accesses, products and branches can be counted by hand.

#define PLACE(p) static_cast<unsigned>(__cvta_generic_to_shared(p))

// --- Global memory: element i of the launch is at i * stride + offset ---------------------------------------------------------------

extern "C" __global__ void copy_words(unsigned* out, const unsigned* in, int stride, int offset) {
    int i = (blockIdx.x * blockDim.x + threadIdx.x) * stride + offset;
    out[i] = in[i];
}

extern "C" __global__ void copy_vectors(uint4* out, const uint4* in, int stride, int offset) {
    int i = (blockIdx.x * blockDim.x + threadIdx.x) * stride + offset;
    out[i] = in[i];
}

extern "C" __global__ void copy_bytes(unsigned char* out, const unsigned char* in, int stride, int offset) {
    int i = (blockIdx.x * blockDim.x + threadIdx.x) * stride + offset;
    out[i] = in[i];
}

extern "C" __global__ void copy_guarded(unsigned* out, const unsigned* in, int n, int offset) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i + offset] = in[i + offset];
}

// --- Shared memory: one store and one load of each lane, at element (lane * factor) >> shift -----------------------------------------

template <class T>
__device__ __forceinline__ void access(unsigned* out, int factor, int shift) {
    __shared__ __align__(16) T s[4096 / sizeof(T)];
    int at = (threadIdx.x * factor) >> shift;
    s[at] = T();
    __syncwarp();
    unsigned long long value = s[at];
    out[threadIdx.x] = static_cast<unsigned>(value) ^ static_cast<unsigned>(value >> 32);
}

extern "C" __global__ void shared_bytes(unsigned* out, int factor, int shift) { access<unsigned char>(out, factor, shift); }
extern "C" __global__ void shared_words(unsigned* out, int factor, int shift) { access<unsigned>(out, factor, shift); }
extern "C" __global__ void shared_doubles(unsigned* out, int factor, int shift) { access<unsigned long long>(out, factor, shift); }

extern "C" __global__ void shared_vectors(unsigned* out, int factor, int shift) {
    __shared__ uint4 s[256];
    int at = (threadIdx.x * factor) >> shift;
    s[at] = make_uint4(0, 0, 0, 0);
    __syncwarp();
    uint4 value = s[at];
    out[threadIdx.x] = value.x + value.y + value.z + value.w;
}

// Four matrices whose rows lie `stride` bytes apart.
extern "C" __global__ void load_matrices(unsigned* out, int stride) {
    extern __shared__ __align__(16) unsigned char d[];
    unsigned row = PLACE(d + threadIdx.x * stride), a, b, c, e;
    asm volatile("st.shared.v4.u32 [%0], {%1, %1, %1, %1};" ::"r"(row), "r"(0u) : "memory");
    __syncwarp();
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(a), "=r"(b), "=r"(c), "=r"(e)
                 : "r"(row)
                 : "memory");
    out[threadIdx.x] = a + b + c + e;
}

extern "C" __global__ void copy_async(uint4* out, const uint4* in) {
    __shared__ uint4 s[32];
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;\n\tcp.async.wait_all;" ::"r"(PLACE(s + threadIdx.x)), "l"(in + threadIdx.x)
                 : "memory");
    out[threadIdx.x] = s[threadIdx.x];
}

// --- Branches: threads below n take the other side --------------------------------------------------------------------------------------

extern "C" __global__ void diverge(unsigned* out, int n) {
    if (threadIdx.x < n) atomicAdd(out, 1u);
}

// --- Products and instruction classes ---------------------------------------------------------------------------------------------------

extern "C" __global__ void multiply_half(float* out) {
    float d[4] = {0, 0, 0, 0};
    for (int k = 0; k < 3; k++)
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, {%4,%4}, {%0,%1,%2,%3};"
                     : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                     : "r"(0x3c003c00u));
    out[blockIdx.x * blockDim.x + threadIdx.x] = d[0] + d[1] + d[2] + d[3];
}

extern "C" __global__ void multiply_tf32(float* out) {
    float d[4] = {0, 0, 0, 0};
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, {%4,%4}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(0x3f800000u));
    out[blockIdx.x * blockDim.x + threadIdx.x] = d[0] + d[1] + d[2] + d[3];
}

// Straight: 4 f32, 2 special, 1 f64, 2 half, 1 convert, 1 compare, 3 logic, 2 collective, 3 barrier, 2 shared, 1 atomic.
extern "C" __global__ void classes(unsigned* out) {
    __shared__ unsigned s[64];
    asm volatile(
        "{\n\t"
        ".reg .f32 f;\n\t.reg .f64 d;\n\t.reg .b32 r, t, h;\n\t.reg .pred p;\n\t"
        "add.f32 f, 0f3f800000, 0f3f800000;\n\tmul.f32 f, f, f;\n\tfma.rn.f32 f, f, f, f;\n\tsub.f32 f, f, f;\n\t"
        "ex2.approx.f32 f, f;\n\trsqrt.approx.f32 f, f;\n\t"
        "mov.f64 d, 0d3ff0000000000000;\n\tadd.f64 d, d, d;\n\t"
        "mov.b32 h, 0;\n\tadd.f16x2 h, h, h;\n\tfma.rn.f16x2 h, h, h, h;\n\t"
        "cvt.rzi.s32.f32 r, f;\n\tsetp.eq.u32 p, r, 0;\n\t"
        "and.b32 r, r, 15;\n\txor.b32 r, r, 3;\n\tshl.b32 r, r, 1;\n\t"
        "shfl.sync.idx.b32 t, r, 0, 31, 0xffffffff;\n\tvote.sync.ballot.b32 t, p, 0xffffffff;\n\t"
        "st.shared.u32 [%0], r;\n\tbar.warp.sync 0xffffffff;\n\tbar.sync 0;\n\tbar.sync 0;\n\tld.shared.u32 r, [%0];\n\t"
        "red.global.add.u32 [%1], r;\n\t"
        "}" ::"r"(PLACE(s + threadIdx.x)),
        "l"(out)
        : "memory");
}
