// What CUDA C++ compiles to beyond the simple: templates, tables in constant memory, local arrays, switches, the slow paths of the
// mathematics library, 64-bit division, double, halves, vectors, collectives of cooperative groups, shared memory of both kinds.
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_pipeline.h>

namespace groups = cooperative_groups;

extern "C" __global__ void mathematics(const float* in, float* out, int n) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= n) return;
    float x = in[t], s, c;
    sincosf(x, &s, &c);
    float* o = out + 12 * t;
    o[0] = s;
    o[1] = c;
    o[2] = tanf(x);
    o[3] = expf(fabsf(x) < 80 ? x : 1.0f / x);
    o[4] = logf(fabsf(x));
    o[5] = powf(fabsf(x), 0.3f);
    o[6] = tanhf(x);
    o[7] = erff(x);
    o[8] = fmodf(x, 3.7f);
    o[9] = cbrtf(x);
    o[10] = rsqrtf(fabsf(x));
    o[11] = atan2f(x, 2.5f);
}

extern "C" __global__ void doubles(const double* in, double* out, int n) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= n) return;
    double x = in[t];
    double* o = out + 8 * t;
    o[0] = sin(x);
    o[1] = exp(-fabs(x) * 1e-3);
    o[2] = log(fabs(x));
    o[3] = sqrt(fabs(x)) / 3.0;
    o[4] = pow(fabs(x), 1.0 / 7);
    o[5] = floor(x) + ceil(x) + rint(x) + trunc(x);
    o[6] = fma(x, x, -1.0);
    o[7] = static_cast<double>(static_cast<long long>(x)) + static_cast<double>(static_cast<unsigned int>(static_cast<int>(x)));
}

template <class T>
__device__ T divided(T a, T b, T* rest) {
    *rest = a % b;
    return a / b;
}

extern "C" __global__ void division(const long long* in, long long* out, int n) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= n) return;
    long long a = in[2 * t], b = in[2 * t + 1], rest;
    unsigned long long ua = a, ub = b, urest;
    int narrowRest;
    out[6 * t] = divided(a, b, &rest);
    out[6 * t + 1] = rest;
    out[6 * t + 2] = static_cast<long long>(divided(ua, ub, &urest));
    out[6 * t + 3] = static_cast<long long>(urest);
    out[6 * t + 4] = divided(static_cast<int>(a), static_cast<int>(b) | 1, &narrowRest) + __mul64hi(a, b);
    out[6 * t + 5] = narrowRest + static_cast<long long>(__umul64hi(ua, ub));
}

extern "C" __global__ void halves(const float* in, unsigned* out, int n) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= n) return;
    float a = in[t], b = in[(t + 1) % n];
    unsigned* o = out + 6 * t;
    __nv_bfloat162 pair = __floats2bfloat162_rn(a, b);
    o[0] = *reinterpret_cast<unsigned*>(&pair);
    __nv_bfloat16 narrow = __float2bfloat16_rz(a);
    o[1] = __bfloat16_as_ushort(narrow) | static_cast<unsigned>(__bfloat16_as_ushort(__float2bfloat16(b))) << 16;
    o[2] = __float_as_uint(__bfloat162float(pair.y));
    __half2 half = __floats2half2_rn(a, b);
    o[3] = *reinterpret_cast<unsigned*>(&half);
    __nv_bfloat162 larger = __hmax2(pair, __floats2bfloat162_rn(1.0f, -1.0f));
    o[4] = *reinterpret_cast<unsigned*>(&larger);
    o[5] = __hgt(half.x, half.y) ? 1 : 0;
}

__constant__ int table[16] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3};
__device__ const char* const names[3] = {"zero", "one", "three"};
__device__ int counter = 40;

extern "C" __global__ void control(const int* in, int* out, int n) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= n) return;
    int stack[16], top = 0, x = in[t];
    for (int i = 0; i < 16; i++) {
        switch ((x >> i) & 7) {
            case 0:
                if (top < 16) stack[top++] = table[i];
                break;
            case 1:
                if (top > 1) {
                    top--;
                    stack[top - 1] += stack[top];
                }
                continue;
            case 2:
            case 3:
                x ^= 0x5a5a;
                [[fallthrough]];
            case 4:
                if (top < 16) stack[top++] = i;
                break;
            case 5:
                if (top > 3) goto out;
                x += 77;
                break;
            case 6:
                x = x * 3 + 1;
                break;
            default:
                if (top > 0 && stack[top - 1] > 5) top--;
        }
        x ^= top;
    }
out:
    int sum = x;
    for (int i = 0; i < top; i++) sum = sum * 31 + stack[i];
    const char* name = names[t % 3];
    while (*name) sum += *name++;
    out[t] = sum + (t == 0 ? counter : 0);
}

struct alignas(16) Quad {
    float x, y, z, w;
};

extern "C" __global__ void sharing(const Quad* in, Quad* out, int* sums) {
    extern __shared__ Quad dynamic[];
    __shared__ int total, votes[4];
    int t = threadIdx.x;
    if (t == 0) total = 0;
    __pipeline_memcpy_async(&dynamic[t], &in[blockIdx.x * blockDim.x + t], sizeof(Quad));
    __pipeline_commit();
    __pipeline_wait_prior(0);
    __syncthreads();
    Quad other = dynamic[blockDim.x - 1 - t];
    out[blockIdx.x * blockDim.x + t] = {other.w, other.z, other.y, other.x};
    auto warp = groups::tiled_partition<32>(groups::this_thread_block());
    int sum = groups::reduce(warp, t, groups::plus<int>());
    auto quarter = groups::tiled_partition<8>(warp);
    int least = quarter.shfl(t, 0), exclusive = 0;
    for (int i = 1; i < 8; i *= 2) {
        int up = quarter.shfl_up(least + exclusive, i);
        if (quarter.thread_rank() >= i) exclusive += up % 5;
    }
    if (warp.thread_rank() == 0) {
        atomicAdd(&total, sum);
        votes[t / 32] = static_cast<int>(warp.size());
    }
    int odd = __syncthreads_count(t % 2), all = __syncthreads_and(t < 1000), any = __syncthreads_or(t == 7777);
    unsigned ballot = 0;
    if (t % 4 == 1) {
        auto active = groups::coalesced_threads();
        ballot = active.ballot(t % 8 == 1) + active.size() * 1000;
    }
    int* o = sums + 4 * (blockIdx.x * blockDim.x + t);
    o[0] = total + votes[t / 32];
    o[1] = odd * 100 + all * 10 + any;
    o[2] = static_cast<int>(ballot);
    o[3] = exclusive + static_cast<int>(__popc(__match_any_sync(0xffffffff, t % 3)));
}
