// What the attention kernels share: the factors of heads that they multiply their results by.
#pragma once

// Factor of head h of token t: 1 where nobody asks for factors or the token belongs to no set.
__device__ __forceinline__ float headFactor(const int* setOfToken, const float* factors, int token, int head, int heads) {
    if (setOfToken == nullptr) {
        return 1.0f;
    }
    const int set = setOfToken[token];
    return set < 0 ? 1.0f : factors[static_cast<size_t>(set) * heads + head];
}

// z times the factor of its head: exactly +0 for a factor of 0, whatever z is; the same bits for 1.
__device__ __forceinline__ float timesFactor(float z, float factor) { return factor == 0.0f ? 0.0f : z * factor; }
