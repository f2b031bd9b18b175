// All kernels in one translation unit: one fatbin, one module to load.
#include "attention.cu"
#include "attention_any.cu"
#include "attention_decode.cu"
#include "rmsnorm.cu"
#include "rope.cu"
#include "scale_heads.cu"
#include "swiglu.cu"
