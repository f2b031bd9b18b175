/* A program in C that knows nothing but cuda.h and is linked to libcuda.so.1, as any CUDA program: it adds vectors. */
#include <cuda.h>
#include <stdio.h>
#include <stdlib.h>

static void must(CUresult result, int line) {
    const char* name = "?";
    if (result == CUDA_SUCCESS) return;
    cuGetErrorName(result, &name);
    fprintf(stderr, "driver_c.c:%d: %s\n", line, name);
    exit(1);
}
#define MUST(call) must(call, __LINE__)

static char* readFile(const char* folder) {
    char path[1000];
    FILE* file;
    long size;
    char* text;
    snprintf(path, sizeof path, "%s/tests/kernels/driver.ptx", folder);
    file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || (text = calloc((size_t)size + 1, 1)) == NULL) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    rewind(file);
    if (fread(text, 1, (size_t)size, file) != (size_t)size) exit(1);
    fclose(file);
    return text;
}

int main(int argc, char** argv) {
    enum { count = 1000 };
    static int in[count], out[count];
    int i, add = 41, n = count, wrong = 0;
    float milliseconds;
    CUdevice device;
    CUcontext context;
    CUmodule module;
    CUfunction plus;
    CUstream stream;
    CUevent start, end;
    CUdeviceptr a, b;
    void* arguments[4];
    char* ptx = readFile(argc > 1 ? argv[1] : "build");
    for (i = 0; i < count; i++) in[i] = i * i;
    MUST(cuInit(0));
    MUST(cuDeviceGet(&device, 0));
    MUST(cuDevicePrimaryCtxRetain(&context, device));
    MUST(cuCtxPushCurrent(context));
    MUST(cuModuleLoadDataEx(&module, ptx, 0, NULL, NULL));
    free(ptx);
    MUST(cuModuleGetFunction(&plus, module, "plus"));
    MUST(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    MUST(cuEventCreate(&start, CU_EVENT_DEFAULT));
    MUST(cuEventCreate(&end, CU_EVENT_DEFAULT));
    MUST(cuMemAlloc(&a, sizeof in));
    MUST(cuMemAlloc(&b, sizeof out));
    arguments[0] = &b, arguments[1] = &a, arguments[2] = &add, arguments[3] = &n;
    MUST(cuEventRecord(start, stream));
    MUST(cuMemcpyHtoDAsync(a, in, sizeof in, stream));
    MUST(cuLaunchKernel(plus, (count + 127) / 128, 1, 1, 128, 1, 1, 0, stream, arguments, NULL));
    MUST(cuMemcpyDtoHAsync(out, b, sizeof out, stream));
    MUST(cuEventRecord(end, stream));
    MUST(cuStreamSynchronize(stream));
    MUST(cuEventElapsedTime(&milliseconds, start, end));
    for (i = 0; i < count; i++) wrong += out[i] != in[i] + add;
    MUST(cuMemFree(a));
    MUST(cuMemFree(b));
    MUST(cuEventDestroy(start));
    MUST(cuEventDestroy(end));
    MUST(cuStreamDestroy(stream));
    MUST(cuModuleUnload(module));
    MUST(cuCtxPopCurrent(&context));
    MUST(cuDevicePrimaryCtxRelease(device));
    printf("driver_c: %d of %d values wrong, %s\n", wrong, count, milliseconds >= 0 ? "timed" : "no time");
    return wrong != 0 || !(milliseconds >= 0);
}
