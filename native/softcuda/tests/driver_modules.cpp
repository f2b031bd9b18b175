// Modules from PTX text: functions, parameters, attributes, variables, unloading, misuse.
#include <algorithm>

#include "driver.h"

namespace {

std::string build;
const std::pair<const char*, const char*> kFrontEnds[] = {{"driver.ptx", "90"}, {"driver.sm100.ptx", "100"}};

int attributeOf(CUfunction function, CUfunction_attribute attribute) {
    int value = -1;
    OK(cuFuncGetAttribute(&value, attribute, function));
    return value;
}

void functions(const char* file) {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/" + file);
    unsigned count = 0;
    OK(cuModuleGetFunctionCount(&count, module));
    std::vector<std::string> wanted = {"architecture", "arrive",     "bounded", "churn",   "copy",  "fill",     "geometry",
                                       "none",         "parameters", "plus",    "reverse", "spill", "variables"};
    CHECK(count == wanted.size(), "%u functions", count);
    std::vector<CUfunction> all(count + 1, nullptr);
    OK(cuModuleEnumerateFunctions(all.data(), count, module));
    std::vector<std::string> names;
    for (unsigned i = 0; i < count; i++) {
        const char* name = nullptr;
        OK(cuFuncGetName(&name, all[i]));
        names.push_back(name == nullptr ? "" : name);
        CHECK(functionOf(module, names.back().c_str()) == all[i], "%s", names.back().c_str());
    }
    std::sort(names.begin(), names.end());
    CHECK(names == wanted && all[count] == nullptr);
    std::vector<CUfunction> two(3, nullptr);
    OK(cuModuleEnumerateFunctions(two.data(), 2, module));
    CHECK(two[0] != nullptr && two[1] != nullptr && two[2] == nullptr);
    OK(cuModuleUnload(module));
}

void parameterInfo(const char* file) {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/" + file);
    CUfunction function = functionOf(module, "parameters");
    const size_t offsets[] = {0, 8, 16, 20, 24, 40}, sizes[] = {1, 8, 2, 4, 16, 8};
    for (size_t i = 0; i < 6; i++) {
        size_t offset = 99, size = 99;
        OK(cuFuncGetParamInfo(function, i, &offset, &size));
        CHECK(offset == offsets[i] && size == sizes[i], "parameter %zu: offset %zu, size %zu", i, offset, size);
        OK(cuFuncGetParamInfo(function, i, &offset, nullptr));
    }
    size_t offset, size;
    EXPECT(cuFuncGetParamInfo(function, 6, &offset, &size), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuFuncGetParamInfo(functionOf(module, "none"), 0, &offset, &size), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuFuncGetParamInfo(function, 0, nullptr, &size), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuFuncGetParamInfo(nullptr, 0, &offset, &size), CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_INVALID_HANDLE);
    OK(cuModuleUnload(module));
}

void attributes() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    CUfunction copy = functionOf(module, "copy"), bounded = functionOf(module, "bounded"), spill = functionOf(module, "spill");
    CHECK(attributeOf(copy, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK) == 1024);
    CHECK(attributeOf(bounded, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK) == 128);
    CHECK(attributeOf(copy, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES) == 0);
    CHECK(attributeOf(bounded, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES) == 4096);
    CHECK(attributeOf(copy, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES) == 0);
    CHECK(attributeOf(spill, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES) >= 256);
    CHECK(attributeOf(copy, CU_FUNC_ATTRIBUTE_PTX_VERSION) == 80);
    CHECK(attributeOf(copy, CU_FUNC_ATTRIBUTE_BINARY_VERSION) == 90);
    int registers = attributeOf(copy, CU_FUNC_ATTRIBUTE_NUM_REGS);
    CHECK(registers > 0 && registers <= 255, "%d registers", registers);
    CHECK(attributeOf(copy, CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES) >= 0);
    CHECK(attributeOf(copy, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) == 49152);
    CHECK(attributeOf(copy, CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET) == 0);
    CHECK(attributeOf(copy, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH) == 0);
    int value = 0;
    EXPECT(cuFuncGetAttribute(nullptr, CU_FUNC_ATTRIBUTE_NUM_REGS, copy), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX, copy), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, nullptr), CUDA_ERROR_INVALID_HANDLE);
    OK(cuModuleUnload(module));
}

void setAttributes() {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/driver.ptx");
    CUfunction reverse = functionOf(module, "reverse"), bounded = functionOf(module, "bounded");
    constexpr auto kDynamic = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    for (int size : {100000, 232448, 1024, 0}) {
        OK(cuFuncSetAttribute(reverse, kDynamic, size));
        CHECK(attributeOf(reverse, kDynamic) == size, "%d", size);
    }
    EXPECT(cuFuncSetAttribute(reverse, kDynamic, 232449), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuFuncSetAttribute(reverse, kDynamic, -1), CUDA_ERROR_INVALID_VALUE);
    CHECK(attributeOf(reverse, kDynamic) == 0, "a refused value was kept");
    OK(cuFuncSetAttribute(bounded, kDynamic, 232448 - 4096));
    EXPECT(cuFuncSetAttribute(bounded, kDynamic, 232448 - 4095), CUDA_ERROR_INVALID_VALUE);
    for (int percent : {-1, 0, 50, 100}) {
        OK(cuFuncSetAttribute(reverse, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, percent));
        CHECK(attributeOf(reverse, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT) == percent);
    }
    for (CUfunction_attribute fixed : {CU_FUNC_ATTRIBUTE_NUM_REGS, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK,
                                       CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, CU_FUNC_ATTRIBUTE_PTX_VERSION, CU_FUNC_ATTRIBUTE_MAX})
        EXPECT(cuFuncSetAttribute(reverse, fixed, 1), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuFuncSetAttribute(nullptr, kDynamic, 0), CUDA_ERROR_INVALID_HANDLE);
    OK(cuModuleUnload(module));
}

void variables(const char* file) {
    openContext();
    CUmodule module = loadModule(build + "/tests/kernels/" + file), second = loadModule(build + "/tests/kernels/" + file);
    CUdeviceptr counter = 0, table = 0, scale = 0, other = 0, out;
    size_t bytes = 0;
    OK(cuModuleGetGlobal(&counter, &bytes, module, "counter"));
    CHECK(bytes == 4);
    OK(cuModuleGetGlobal(&table, &bytes, module, "table"));
    CHECK(bytes == 20);
    OK(cuModuleGetGlobal(&scale, &bytes, module, "scale"));
    CHECK(bytes == 16);
    OK(cuModuleGetGlobal(&other, nullptr, second, "counter"));
    OK(cuModuleGetGlobal(nullptr, &bytes, second, "table"));
    CHECK(other != counter, "two modules share a variable");
    CHECK(download<float>(table, 5) == (std::vector<float>{1.5f, -2.0f, 0.25f, 4.0f, 8.0f}));
    CHECK(download<int>(scale, 4) == (std::vector<int>{2, 3, 5, 7}));
    MUST(cuMemAlloc(&out, 40));
    OK(launch(functionOf(module, "variables"), 1, 1, nullptr, out));
    CHECK(download<float>(out, 10) == (std::vector<float>{7, 6, -8, 1, 16, 32, 2, 3, 5, 7}));
    CHECK(download<int>(counter, 1)[0] == 8 && download<int>(other, 1)[0] == 7);
    const int words[] = {11, 13, 17, 19};
    OK(cuMemcpyHtoD(scale, words, 16));
    OK(cuMemsetD32(table, 0x40000000, 5));
    OK(launch(functionOf(module, "variables"), 1, 1, nullptr, out));
    CHECK(download<float>(out, 10) == (std::vector<float>{8, 8, 8, 8, 8, 8, 11, 13, 17, 19}));
    EXPECT(cuModuleGetGlobal(&out, &bytes, module, "nothing"), CUDA_ERROR_NOT_FOUND);
    EXPECT(cuModuleGetGlobal(&out, &bytes, module, "copy"), CUDA_ERROR_NOT_FOUND);
    EXPECT(cuModuleGetGlobal(&out, &bytes, module, nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuMemFree(counter), CUDA_ERROR_INVALID_VALUE);
    OK(cuMemFree(out));
    OK(cuModuleUnload(module));
    OK(cuModuleUnload(second));
}

void misuse() {
    openContext();
    CUmodule module = nullptr, unloaded;
    CUfunction function = nullptr;
    unsigned count = 0;
    EXPECT(cuModuleLoadData(nullptr, "x"), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuModuleLoadData(&module, nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuModuleLoadDataEx(&module, nullptr, 0, nullptr, nullptr), CUDA_ERROR_INVALID_VALUE);
    module = loadModule(build + "/tests/kernels/driver.ptx");
    EXPECT(cuModuleGetFunction(&function, module, "nothing"), CUDA_ERROR_NOT_FOUND);
    EXPECT(cuModuleGetFunction(&function, module, ""), CUDA_ERROR_NOT_FOUND, CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuModuleGetFunction(&function, module, nullptr), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuModuleGetFunction(nullptr, module, "copy"), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuModuleGetFunctionCount(nullptr, module), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuModuleEnumerateFunctions(nullptr, 1, module), CUDA_ERROR_INVALID_VALUE);
    EXPECT(cuModuleGetFunctionCount(&count, nullptr), CUDA_ERROR_INVALID_HANDLE);
    EXPECT(cuModuleEnumerateFunctions(&function, 1, nullptr), CUDA_ERROR_INVALID_HANDLE);
    const char* name;
    EXPECT(cuFuncGetName(&name, nullptr), CUDA_ERROR_INVALID_VALUE, CUDA_ERROR_INVALID_HANDLE);
    EXPECT(cuFuncGetName(nullptr, functionOf(module, "copy")), CUDA_ERROR_INVALID_VALUE);
    function = functionOf(module, "none");
    unloaded = module;
    OK(launch(function, 1, 1, nullptr));
    OK(cuModuleUnload(module));
    OK(cuCtxSynchronize());
    REFUSED(cuModuleUnload(unloaded));
    REFUSED(cuModuleGetFunction(&function, unloaded, "copy"));
    REFUSED(launch(function, 1, 1, nullptr));
}

}  // namespace

int main(int, char** argv) {
    build = argv[1];
    for (const auto& [file, architecture] : kFrontEnds) {
        Environment environment = {{"SOFTCUDA_ARCH", architecture}};
        group(
            "functions", [file = file] { functions(file); }, environment);
        group(
            "parameters", [file = file] { parameterInfo(file); }, environment);
        group(
            "variables", [file = file] { variables(file); }, environment);
    }
    group("attributes", attributes);
    group("set attributes", setAttributes);
    group("misuse", misuse);
    return report("driver_modules");
}
