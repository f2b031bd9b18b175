// Products for the tests: operands of any type, order and size, and what they must give, worked out in double.
#pragma once

#include <cmath>
#include <limits>
#include <random>

#include "../src/blas/cublas_types.h"
#include "harness.h"

#define MUST_BLAS(call)                                                                                       \
    do {                                                                                                      \
        cublasStatus_t must_ = (call);                                                                        \
        if (must_ != CUBLAS_STATUS_SUCCESS) {                                                                 \
            std::fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, cublasLtGetStatusName(must_)); \
            std::exit(1);                                                                                     \
        }                                                                                                     \
    } while (0)

inline size_t sizeOf(cudaDataType type) { return type == CUDA_R_32F ? 4 : 2; }

// The parts of a floating-point format that conversions need.
struct Format {
    int digits, lowest;  // significant bits, exponent of the smallest subnormal
    double largest;
};
inline Format formatOf(cudaDataType type) {
    if (type == CUDA_R_16F) return {11, -24, 65504};
    if (type == CUDA_R_16BF) return {8, -133, 0x1.fep127};
    return {24, -149, std::numeric_limits<float>::max()};
}

// The nearest value of the type, ties to even.
inline double rounded(double value, cudaDataType type) {
    Format format = formatOf(type);
    if (value == 0 || !std::isfinite(value)) return value;
    double unit = std::ldexp(1.0, std::max(std::ilogb(value) - format.digits + 1, format.lowest));
    double result = std::nearbyint(value / unit) * unit;
    return std::fabs(result) > format.largest ? std::copysign(INFINITY, value) : result;
}

inline double decode(const unsigned char* bytes, cudaDataType type) {
    if (type == CUDA_R_32F) {
        float value;
        std::memcpy(&value, bytes, 4);
        return value;
    }
    unsigned bits = bytes[0] | static_cast<unsigned>(bytes[1]) << 8;
    int exponentBits = type == CUDA_R_16F ? 5 : 8, fractionBits = 15 - exponentBits, bias = (1 << (exponentBits - 1)) - 1;
    int exponent = static_cast<int>(bits >> fractionBits & ((1u << exponentBits) - 1)),
        fraction = static_cast<int>(bits & ((1u << fractionBits) - 1));
    double sign = bits >> 15 ? -1 : 1;
    if (exponent == (1 << exponentBits) - 1) return fraction != 0 ? NAN : sign * INFINITY;
    if (exponent == 0) return sign * std::ldexp(fraction, 1 - bias - fractionBits);
    return sign * std::ldexp(fraction + (1 << fractionBits), exponent - bias - fractionBits);
}

// The value must be one of the type.
inline void encode(double value, cudaDataType type, unsigned char* bytes) {
    float single = static_cast<float>(value);
    unsigned bits;
    std::memcpy(&bits, &single, 4);
    if (type == CUDA_R_32F) {
        std::memcpy(bytes, &bits, 4);
        return;
    }
    if (type == CUDA_R_16BF) {
        bits >>= 16;
    } else if (std::isnan(value)) {
        bits = 0x7e00;
    } else {
        double magnitude = std::fabs(value);
        int exponent = magnitude == 0 ? -15 : std::max(std::ilogb(magnitude), -15);
        unsigned fraction = static_cast<unsigned>(std::ldexp(magnitude, 10 - std::max(exponent, -14)));
        bits = (value < 0 ? 0x8000u : 0u) | (exponent < -14 ? fraction : (static_cast<unsigned>(exponent + 15) << 10) + fraction - 0x400);
    }
    bytes[0] = static_cast<unsigned char>(bits);
    bytes[1] = static_cast<unsigned char>(bits >> 8);
}

// A batch of matrices in host memory, laid out as on the device; what lies between them is NaN.
struct Operand {
    cudaDataType type = CUDA_R_32F;
    cublasLtOrder_t order = CUBLASLT_ORDER_COL;
    size_t rows = 0, cols = 0, ld = 0, stride = 0, batch = 1;
    std::vector<unsigned char> bytes;

    Operand() = default;
    Operand(cudaDataType type_, cublasLtOrder_t order_, size_t rows_, size_t cols_, size_t pad = 0, size_t batch_ = 1)
        : type(type_), order(order_), rows(rows_), cols(cols_), batch(batch_) {
        ld = (order == CUBLASLT_ORDER_COL ? rows : cols) + pad;
        stride = ld * (order == CUBLASLT_ORDER_COL ? cols : rows) + 3 * pad;
        bytes.resize(std::max<size_t>(stride * batch, 1) * sizeOf(type), 0xff);
    }
    size_t index(size_t i, size_t j, size_t b) const { return b * stride + (order == CUBLASLT_ORDER_COL ? j * ld + i : i * ld + j); }
    double get(size_t i, size_t j, size_t b = 0) const { return decode(&bytes[index(i, j, b) * sizeOf(type)], type); }
    void set(size_t i, size_t j, size_t b, double value) { encode(value, type, &bytes[index(i, j, b) * sizeOf(type)]); }
    // Values of about unit size that bf16 and f16 hold exactly.
    void fill(std::mt19937& random) {
        std::uniform_int_distribution<int> eighth(-127, 127);
        for (size_t b = 0; b < batch; b++)
            for (size_t i = 0; i < rows; i++)
                for (size_t j = 0; j < cols; j++) set(i, j, b, eighth(random) / 64.0);
    }
    void fillWith(double value) {
        for (size_t b = 0; b < batch; b++)
            for (size_t i = 0; i < rows; i++)
                for (size_t j = 0; j < cols; j++) set(i, j, b, value);
    }
    cublasLtMatrixLayout_t layout() const {
        cublasLtMatrixLayout_t result;
        MUST_BLAS(cublasLtMatrixLayoutCreate(&result, type, rows, cols, static_cast<int64_t>(ld)));
        int count = static_cast<int>(batch);
        int64_t offset = static_cast<int64_t>(stride);
        MUST_BLAS(cublasLtMatrixLayoutSetAttribute(result, CUBLASLT_MATRIX_LAYOUT_ORDER, &order, sizeof order));
        MUST_BLAS(cublasLtMatrixLayoutSetAttribute(result, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count));
        MUST_BLAS(cublasLtMatrixLayoutSetAttribute(result, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &offset, sizeof offset));
        return result;
    }
};

// D = act(alpha op(A) op(B) + beta C + bias).
struct Case {
    Operand a, b, c, d;
    bool transA = false, transB = false, inPlace = false, deviceScalars = false;
    float alpha = 1, beta = 0;
    cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
    unsigned epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    std::vector<double> bias;  // per batch, as long as D has rows
    size_t k() const { return transA ? a.rows : a.cols; }
    // Row i of op(A), column j of op(B).
    std::vector<double> left(size_t i, size_t batch) const {
        std::vector<double> row(k());
        for (size_t step = 0; step < row.size(); step++) row[step] = transA ? a.get(step, i, batch) : a.get(i, step, batch);
        return row;
    }
    std::vector<double> right(size_t j, size_t batch) const {
        std::vector<double> column(k());
        for (size_t step = 0; step < column.size(); step++) column[step] = transB ? b.get(j, step, batch) : b.get(step, j, batch);
        return column;
    }
};

struct Shape {
    size_t m, n, k;
};

// Operands with random values; the leading dimensions are `pad` longer than needed.
inline Case makeCase(std::mt19937& random, Shape s, cudaDataType in, cudaDataType out, cublasLtOrder_t orderA = CUBLASLT_ORDER_COL,
                     cublasLtOrder_t orderB = CUBLASLT_ORDER_COL, cublasLtOrder_t orderD = CUBLASLT_ORDER_COL, bool transA = false,
                     bool transB = false, size_t pad = 0, size_t batch = 1) {
    Case c;
    c.transA = transA;
    c.transB = transB;
    c.a = transA ? Operand(in, orderA, s.k, s.m, pad, batch) : Operand(in, orderA, s.m, s.k, pad, batch);
    c.b = transB ? Operand(in, orderB, s.n, s.k, pad, batch) : Operand(in, orderB, s.k, s.n, pad, batch);
    c.c = Operand(out, orderD, s.m, s.n, 2 * pad, batch);
    c.d = Operand(out, orderD, s.m, s.n, pad, batch);
    c.a.fill(random);
    c.b.fill(random);
    c.c.fill(random);
    return c;
}

inline void addBias(std::mt19937& random, Case& c) {
    std::uniform_int_distribution<int> eighth(-127, 127);
    c.bias.resize(c.d.rows * c.d.batch);
    for (double& value : c.bias) value = eighth(random) / 64.0;
}

inline cublasLtMatmulDesc_t describe(const Case& c, CUdeviceptr bias) {
    cublasLtMatmulDesc_t desc;
    MUST_BLAS(cublasLtMatmulDescCreate(&desc, c.compute, CUDA_R_32F));
    int transA = c.transA ? CUBLAS_OP_T : CUBLAS_OP_N, transB = c.transB ? CUBLAS_OP_T : CUBLAS_OP_N, mode = c.deviceScalars ? 1 : 0;
    MUST_BLAS(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSA, &transA, sizeof transA));
    MUST_BLAS(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_TRANSB, &transB, sizeof transB));
    MUST_BLAS(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_POINTER_MODE, &mode, sizeof mode));
    MUST_BLAS(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &c.epilogue, sizeof c.epilogue));
    int64_t stride = static_cast<int64_t>(c.d.rows);
    MUST_BLAS(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias));
    MUST_BLAS(cublasLtMatmulDescSetAttribute(desc, CUBLASLT_MATMUL_DESC_BIAS_BATCH_STRIDE, &stride, sizeof stride));
    return desc;
}

inline void* pointer(CUdeviceptr address) { return reinterpret_cast<void*>(address); }

// Device copies of a case, with its descriptors; all freed at the end.
class Device {
public:
    explicit Device(const Case& c) : case_(c) {
        a = upload(c.a.bytes);
        b = upload(c.b.bytes);
        this->c = upload(c.c.bytes);
        d = c.inPlace ? this->c : upload(c.d.bytes);
        if (!c.bias.empty()) {
            std::vector<unsigned char> values(c.bias.size() * sizeOf(c.d.type));
            for (size_t i = 0; i < c.bias.size(); i++) encode(c.bias[i], c.d.type, &values[i * sizeOf(c.d.type)]);
            bias = upload(values);
        }
        scalars = upload(std::vector<float>{c.alpha, c.beta});
        desc = describe(c, bias);
        layouts[0] = c.a.layout();
        layouts[1] = c.b.layout();
        layouts[2] = c.c.layout();
        layouts[3] = c.inPlace ? c.c.layout() : c.d.layout();
        MUST_BLAS(cublasLtCreate(&handle));
        // Copies from pageable memory may land after the call, and other streams do not wait for them.
        MUST(cuCtxSynchronize());
    }
    ~Device() {
        for (CUdeviceptr address : {a, b, c, bias, scalars, case_.inPlace ? 0 : d})
            if (address != 0) MUST(cuMemFree(address));
        for (cublasLtMatrixLayout_t layout : layouts) MUST_BLAS(cublasLtMatrixLayoutDestroy(layout));
        MUST_BLAS(cublasLtMatmulDescDestroy(desc));
        MUST_BLAS(cublasLtDestroy(handle));
    }
    Device(const Device&) = delete;

    cublasStatus_t multiply(const cublasLtMatmulAlgo_t* algorithm = nullptr, CUdeviceptr workspace = 0, size_t bytes = 0,
                            CUstream stream = nullptr) const {
        const void* alpha = case_.deviceScalars ? pointer(scalars) : static_cast<const void*>(&case_.alpha);
        const void* beta = case_.deviceScalars ? pointer(scalars + sizeof(float)) : static_cast<const void*>(&case_.beta);
        return cublasLtMatmul(handle, desc, alpha, pointer(a), layouts[0], pointer(b), layouts[1], beta, pointer(c), layouts[2], pointer(d),
                              layouts[3], algorithm, pointer(workspace), bytes, stream);
    }
    Operand result() const {
        Operand result = case_.inPlace ? case_.c : case_.d;
        MUST(cuCtxSynchronize());
        result.bytes = download<unsigned char>(d, result.bytes.size());
        return result;
    }

    CUdeviceptr a, b, c, d, bias = 0, scalars;
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t layouts[4];
    cublasLtHandle_t handle;

private:
    const Case& case_;
};

inline double activated(double x, unsigned epilogue) {
    if (epilogue & CUBLASLT_EPILOGUE_RELU) return std::max(x, 0.0);
    if (epilogue & CUBLASLT_EPILOGUE_GELU) return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    return x;
}

// Compares all elements, and that nothing between them was touched. The tolerance is the error bound of an f32 sum that adds at most 256
// products and then the sums of such blocks, times the sum of magnitudes, plus the rounding of the scaling and of the result; the slope of
// the activations is below 1.13.
inline bool verify(const Case& c, const Operand& result, const char* what) {
    double worst = 0;
    Operand expected = c.inPlace ? c.c : c.d;
    size_t k = c.k();
    double unit = 0x1p-24, terms = std::min<double>(static_cast<double>(k), 256) + std::ceil(static_cast<double>(k) / 256) + 6;
    for (size_t batch = 0; batch < result.batch; batch++) {
        std::vector<std::vector<double>> rows, columns;
        for (size_t i = 0; i < result.rows; i++) rows.push_back(c.left(i, batch));
        for (size_t j = 0; j < result.cols; j++) columns.push_back(c.right(j, batch));
        for (size_t i = 0; i < result.rows; i++)
            for (size_t j = 0; j < result.cols; j++) {
                double sum = 0, magnitude = 0;
                for (size_t step = 0; step < k && c.alpha != 0; step++) {
                    double product = rows[i][step] * columns[j][step];
                    sum += product;
                    magnitude += std::fabs(product);
                }
                double old = c.beta == 0 ? 0 : c.beta * c.c.get(i, j, batch), add = c.bias.empty() ? 0 : c.bias[batch * c.d.rows + i];
                double value = activated(c.alpha * sum + old + add, c.epilogue);
                double tolerance = 1.13 * terms * unit * (std::fabs(c.alpha) * magnitude + std::fabs(old) + std::fabs(add)) +
                                   std::ldexp(1.001 * std::fabs(value), -formatOf(result.type).digits) + 0x1p-25;
                double error = std::fabs(result.get(i, j, batch) - value) / tolerance;
                worst = std::isnan(error) ? INFINITY : std::max(worst, error);
                std::memcpy(&expected.bytes[expected.index(i, j, batch) * sizeOf(result.type)],
                            &result.bytes[result.index(i, j, batch) * sizeOf(result.type)], sizeOf(result.type));
            }
    }
    bool clean = expected.bytes == result.bytes;
    CHECK(worst <= 1, "%s: %.3g times the tolerance", what, worst);
    CHECK(clean, "%s: bytes between the elements of D changed", what);
    return worst <= 1 && clean;
}

inline bool runAndVerify(const Case& c, const char* what) {
    Device device(c);
    cublasStatus_t status = device.multiply();
    CHECK(status == CUBLAS_STATUS_SUCCESS, "%s: %s", what, cublasLtGetStatusName(status));
    return status == CUBLAS_STATUS_SUCCESS && verify(c, device.result(), what);
}
