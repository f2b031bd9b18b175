// Functions that are not inlined: parameters and results by value and in structs, nesting, recursion, calls of some lanes; printf and
// what ends a kernel by force.
#include <assert.h>
#include <stdio.h>

struct Pair {
    int first;
    double second;
    unsigned char tail;
};

struct Odd {
    unsigned char bytes[7];
};

__device__ __noinline__ int addThree(int a, short b, unsigned long long c) { return a + b + static_cast<int>(c >> 32); }

__device__ __noinline__ Pair swapped(Pair p, float scale, bool negate) {
    Pair result;
    result.first = static_cast<int>(p.second * scale);
    result.second = negate ? -p.first : p.first;
    result.tail = static_cast<unsigned char>(p.tail + 1);
    return result;
}

__device__ __noinline__ Odd reversed(Odd odd) {
    Odd result;
    for (int i = 0; i < 7; i++) result.bytes[i] = odd.bytes[6 - i];
    return result;
}

__device__ __noinline__ void store(int* to, int value) { *to = value; }

extern "C" __global__ void byValue(int* out, int n) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= n) return;
    out[4 * t] = addThree(t, static_cast<short>(-t * 3), static_cast<unsigned long long>(t) << 33);
    Pair p = swapped({t, 1.5 * t, static_cast<unsigned char>(t)}, 2.0f, t % 2 != 0);
    Odd odd;
    for (int i = 0; i < 7; i++) odd.bytes[i] = static_cast<unsigned char>(t * 7 + i);
    odd = reversed(odd);
    out[4 * t + 1] = p.first * 256 + p.tail;
    out[4 * t + 2] = static_cast<int>(p.second);
    store(&out[4 * t + 3], odd.bytes[0] | odd.bytes[3] << 8 | odd.bytes[6] << 16);
}

// Depth differs from lane to lane; the array keeps every level's own local memory.
__device__ __noinline__ int depth(int n, int seed) {
    int own[4];
    for (int i = 0; i < 4; i++) own[i] = seed + i * n;
    if (n <= 0) return own[seed & 3];
    int below = depth(n - 1, seed * 3 + 1);
    return own[n & 3] + below;
}

__device__ __noinline__ bool odd(unsigned n);
__device__ __noinline__ bool even(unsigned n) { return n == 0 ? true : odd(n - 1); }
__device__ __noinline__ bool odd(unsigned n) { return n == 0 ? false : even(n - 1); }

__device__ __noinline__ int firstMultiple(const int* values, int n, int of) {
    for (int i = 0; i < n; i++) {
        if (values[i] % of == 0) return i;
        if (values[i] > 1000) return -2;
    }
    return -1;
}

extern "C" __global__ void nested(int* out, const int* values, int n) {
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    int local[2] = {t, -t};
    out[4 * t] = depth(t % 9, t);
    out[4 * t + 1] = even(t % 7);
    out[4 * t + 2] = firstMultiple(values, n, t % 13 + 2);
    out[4 * t + 3] = local[0] + local[1] + (t % 3 == 0 ? depth(2, local[t & 1]) : 5);
}

// Calls from both sides of a branch and from a loop that lanes leave in turn; some lanes end inside.
__device__ __noinline__ int leaving(int x, int* out) {
    if (x % 11 == 7) {
        *out = -x;
        asm volatile("exit;");
    }
    return x * 2 + 1;
}

extern "C" __global__ void someLanes(int* out) {
    int t = blockIdx.x * blockDim.x + threadIdx.x, x = t;
    for (int i = 0; i < t % 5; i++) x = i % 2 ? leaving(x, out + t) : leaving(x + 3, out + t);
    if (x % 4 == 1) x = addThree(x, 1, 0);
    out[t] = x;
}

// Shared memory and a barrier inside a function.
__device__ __noinline__ int neighbours(int value) {
    __shared__ int board[64];
    board[threadIdx.x] = value;
    __syncthreads();
    int result = board[threadIdx.x ^ 33];
    __syncthreads();
    return result;
}

extern "C" __global__ void sharing(int* out) {
    __shared__ int own[64];
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    own[threadIdx.x] = neighbours(t * 5);
    int sum = 0;
    for (int i = 0; i < 3; i++) sum = sum * 2 + neighbours(sum + own[threadIdx.x] + i);
    out[t] = sum;
}

extern "C" __global__ void print(const char* text, double real) {
    if (threadIdx.x % 16 != 3) return;
    printf("[%u] %d %5d|%-4d|%05d %u %x %X %o %c %%\n", threadIdx.x, -7, 42, 42, 42, 4000000000u, 255, 255, 8, 'z');
    printf("%f %.2f %10.3e %g %s <%8s> %lld %llu %p\n", real, 2.0f / 3, real * 1e10, 1e-5, "text", "right", -5000000000ll, ~0ull,
           reinterpret_cast<void*>(0x1234));
    printf("%*d %hd %ld %zu\n", 6, 12, static_cast<int>(short{-3}), -4l, sizeof(int));
    int count = printf("no arguments\n");
    printf("%d\n", count);
}

extern "C" __global__ void assertion(int n) { assert(static_cast<int>(threadIdx.x) < n); }

extern "C" __global__ void trapping(int* out) {
    out[threadIdx.x] = 1;
    if (threadIdx.x == 5) __trap();
}
