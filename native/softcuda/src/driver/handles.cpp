#include "handles.h"

#include <mutex>
#include <unordered_map>
#include <vector>

namespace softcuda {
namespace {

// Beyond every address of host and device, so that a program that dereferences a handle faults at once.
constexpr u64 kFirstHandle = 0x0050'0000'0000'0000ull;
constexpr u64 kStep = 64;

struct Table {
    std::mutex mutex;
    std::unordered_map<u64, std::shared_ptr<Object>> objects;
    u64 next = kFirstHandle;
    // Never destroyed: threads may still call when the process ends.
    static Table& get() {
        static Table* table = new Table;
        return *table;
    }
};

}  // namespace

u64 addHandle(std::shared_ptr<Object> object) {
    Table& table = Table::get();
    std::lock_guard lock(table.mutex);
    table.next += kStep;
    table.objects[table.next] = std::move(object);
    return table.next;
}

std::shared_ptr<Object> objectOf(u64 handle) {
    Table& table = Table::get();
    std::lock_guard lock(table.mutex);
    auto found = table.objects.find(handle);
    return found == table.objects.end() ? nullptr : found->second;
}

bool removeHandle(u64 handle) {
    std::shared_ptr<Object> last;
    Table& table = Table::get();
    std::lock_guard lock(table.mutex);
    auto found = table.objects.find(handle);
    if (found == table.objects.end()) return false;
    last = std::move(found->second);
    table.objects.erase(found);
    return true;
}

void removeHandlesOf(const void* owner) {
    std::vector<std::shared_ptr<Object>> last;
    Table& table = Table::get();
    std::lock_guard lock(table.mutex);
    for (auto it = table.objects.begin(); it != table.objects.end();) {
        if (it->second->owner == owner) {
            last.push_back(std::move(it->second));
            it = table.objects.erase(it);
        } else {
            ++it;
        }
    }
}

}  // namespace softcuda
