// Barriers that not all threads reach, named barriers, and collectives with absent lanes.

#define SYNC(id, count) asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(count) : "memory")
#define ARRIVE(id, count) asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(count) : "memory")

// Threads from n on leave before the barrier.
extern "C" __global__ void early_exit(unsigned* out, int n) {
    __shared__ unsigned s[64];
    if (threadIdx.x >= n) return;
    s[threadIdx.x] = threadIdx.x;
    __syncthreads();  // defect
    out[threadIdx.x] = s[threadIdx.x];
}

extern "C" __global__ void blocks_exit(unsigned* out, int blocks) {
    __shared__ unsigned s[64];
    if (blockIdx.x >= blocks) return;
    s[threadIdx.x] = 63 - threadIdx.x;
    __syncthreads();
    out[blockIdx.x * 64 + threadIdx.x] = s[63 - threadIdx.x];
}

// Lanes from n on do not take part.
extern "C" __global__ void lanes_diverge(unsigned* out, int n) {
    unsigned lane = threadIdx.x % 32;
    if (lane < n) {
        out[threadIdx.x] = lane;
        __syncthreads();  // defect
    }
    out[threadIdx.x] = lane;
}

extern "C" __global__ void warps_diverge(unsigned* out, int n) {
    if (threadIdx.x / 32 < n) {
        out[threadIdx.x] = 1;
        __syncthreads();  // defect
    }
    out[threadIdx.x] = threadIdx.x;
}

// One warp makes more rounds than the other.
extern "C" __global__ void rounds_differ(unsigned* out, int more) {
    int rounds = 2 + (threadIdx.x < 32 ? more : 0);
    for (int k = 0; k < rounds; k++) {
        out[threadIdx.x] = k;
        __syncthreads();  // defect
    }
    out[threadIdx.x] = threadIdx.x;
}

extern "C" __global__ void count_votes(unsigned* out, int below) {
    int votes = __syncthreads_count(threadIdx.x < below);
    int any = __syncthreads_or(threadIdx.x == 63), all = __syncthreads_and(threadIdx.x < 63);
    out[threadIdx.x] = votes + 1000 * any + 10000 * all;
}

extern "C" __global__ void warp_barrier(unsigned* out, int n, unsigned mask) {
    unsigned result = 0;
    if (threadIdx.x < n) {
        __syncwarp(mask);  // defect
        result = threadIdx.x;
    }
    out[threadIdx.x] = result;
}

// --- Named barriers: warp 0 fills a buffer that warp 1 reads -------------------------------------------------------------------------

extern "C" __global__ void pipe(unsigned* out, int steps) {
    __shared__ unsigned s[32];
    unsigned lane = threadIdx.x % 32, sum = 0;
    if (threadIdx.x < 32) {
        for (int k = 0; k < steps; k++) {
            if (k > 0) SYNC(2, 64);
            s[31 - lane] = lane + k;
            ARRIVE(1, 64);
        }
    } else {
        for (int k = 0; k < steps; k++) {
            SYNC(1, 64);
            sum += s[31 - lane];
            if (k + 1 < steps) ARRIVE(2, 64);
        }
        out[lane] = sum;
    }
}

// The buffer is filled again before it was read.
extern "C" __global__ void pipe_without_empty(unsigned* out) {
    __shared__ unsigned s[32];
    unsigned lane = threadIdx.x % 32, sum = 0;
    if (threadIdx.x < 32) {
        s[lane] = lane;
        ARRIVE(1, 64);
        s[lane] = lane + 1;  // defect
        ARRIVE(3, 64);
    } else {
        SYNC(1, 64);
        sum = s[31 - lane];  // defect
        SYNC(3, 64);
        out[lane] = sum + s[31 - lane];
    }
}

// The reader does not wait for the writer.
extern "C" __global__ void pipe_without_full(unsigned* out) {
    __shared__ unsigned s[32];
    unsigned lane = threadIdx.x % 32;
    if (threadIdx.x < 32) s[lane] = 0;
    __syncthreads();
    if (threadIdx.x < 32) {
        s[lane] = lane;  // defect
        SYNC(1, 32);
    } else {
        SYNC(2, 32);
        out[lane] = s[31 - lane];  // defect
    }
}

// The writer never says that it is done, or says it at another barrier.
extern "C" __global__ void pipe_never_full(unsigned* out, int other) {
    unsigned lane = threadIdx.x % 32;
    if (threadIdx.x < 32) {
        if (other) ARRIVE(other, 64);
    } else {
        out[lane] = 0;
        SYNC(1, 64);  // defect
        out[lane] = lane;
    }
}

extern "C" __global__ void counts_differ(unsigned* out) {
    out[threadIdx.x] = threadIdx.x;
    if (threadIdx.x < 32)
        SYNC(1, 64);  // defect
    else
        SYNC(1, 96);  // defect
}

// Warps 0 and 1 meet; warp 2 reads what they wrote, after a barrier of all or without one.
extern "C" __global__ void two_of_three(unsigned* out, int all) {
    __shared__ unsigned s[64];
    if (threadIdx.x < 64) s[threadIdx.x] = 0;
    __syncthreads();
    if (threadIdx.x >= 64) {
        if (all) __syncthreads();
        out[threadIdx.x] = s[95 - threadIdx.x] + s[threadIdx.x - 64];  // defect
    } else {
        s[threadIdx.x] = threadIdx.x;  // defect
        SYNC(1, 64);
        out[threadIdx.x] = s[63 - threadIdx.x];
        if (all) __syncthreads();
    }
}

// Warp 0 tells warp 1, which tells warp 2.
extern "C" __global__ void relay(unsigned* out) {
    __shared__ unsigned s[32];
    unsigned lane = threadIdx.x % 32;
    if (threadIdx.x < 32) {
        s[31 - lane] = lane;
        ARRIVE(1, 64);
    } else if (threadIdx.x < 64) {
        SYNC(1, 64);
        ARRIVE(2, 64);
    } else {
        SYNC(2, 64);
        out[lane] = s[31 - lane];
    }
}

// --- Collectives: lanes from n on do not take part --------------------------------------------------------------------------------

extern "C" __global__ void shuffle(unsigned* out, int n, unsigned mask) {
    unsigned result = 0;
    if (threadIdx.x < n) result = __shfl_sync(mask, threadIdx.x, 3);  // defect
    out[threadIdx.x] = result;
}

extern "C" __global__ void ballot(unsigned* out, int n, unsigned mask) {
    unsigned result = 0;
    if (threadIdx.x < n) result = __ballot_sync(mask, threadIdx.x & 1);  // defect
    out[threadIdx.x] = result;
}

extern "C" __global__ void reduce(unsigned* out, int n, unsigned mask) {
    unsigned result = 0;
    if (threadIdx.x < n) result = __reduce_add_sync(mask, 1u);  // defect
    out[threadIdx.x] = result;
}

// The lanes that run are named; the lane that they read may not be.
extern "C" __global__ void shuffle_from(unsigned* out, int n, unsigned mask, int distance) {
    unsigned result = 0;
    if (threadIdx.x < n) result = __shfl_xor_sync(mask, threadIdx.x, distance);  // defect
    out[threadIdx.x] = result;
}

// Lanes that have ended are absent by right.
extern "C" __global__ void shuffle_after_exit(unsigned* out, int n) {
    if (threadIdx.x >= n) return;
    out[threadIdx.x] = __shfl_sync(0xffffffffu, threadIdx.x, 3);
}
