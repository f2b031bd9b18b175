// The handles that programs hold: numbers that stand for objects and are never used twice, so that a stale one is known as such.
#pragma once

#include <memory>

#include "../base.h"

namespace softcuda {

// What a handle stands for. Objects of a context end with it.
struct Object {
    virtual ~Object() = default;
    const void* owner = nullptr;  // the context, null for a context itself
};

u64 addHandle(std::shared_ptr<Object> object);
// Null if nothing lives under this handle.
std::shared_ptr<Object> objectOf(u64 handle);
bool removeHandle(u64 handle);
void removeHandlesOf(const void* owner);

template <class Handle>
Handle publish(std::shared_ptr<Object> object) {
    return reinterpret_cast<Handle>(addHandle(std::move(object)));
}

template <class T>
std::shared_ptr<T> find(const void* handle) {
    return std::dynamic_pointer_cast<T>(objectOf(reinterpret_cast<u64>(handle)));
}

inline bool retire(const void* handle) { return removeHandle(reinterpret_cast<u64>(handle)); }

}  // namespace softcuda
