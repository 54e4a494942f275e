// Values that are copied by sharing: a copy costs a counter, a change makes its own first.
//
// Used where the same value goes from sample to sample and into every report: what a census saw of a site, await
// chains, holders, classes of birth. Values behave as if each copy had its own. Not for two threads at once.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace asyncleak {

// As std::optional<T>.
template <class T>
class Shared {
 public:
  using value_type = T;

  Shared() = default;
  Shared(std::nullopt_t) {}                                           // NOLINT: as std::optional
  Shared(T value) : value_(std::make_shared<T>(std::move(value))) {}  // NOLINT
  Shared(std::optional<T> value) {                                    // NOLINT
    if (value) emplace(*std::move(value));
  }

  template <class... Arguments>
  T& emplace(Arguments&&... arguments) {
    value_ = std::make_shared<T>(std::forward<Arguments>(arguments)...);
    return *value_;
  }
  void reset() { value_.reset(); }
  [[nodiscard]] bool has_value() const { return value_ != nullptr; }
  explicit operator bool() const { return has_value(); }

  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }
  T& operator*() { return own(); }
  T* operator->() { return &own(); }
  [[nodiscard]] const std::shared_ptr<T>& owner() const { return value_; }

 private:
  T& own() {
    if (value_.use_count() > 1) value_ = std::make_shared<T>(std::as_const(*value_));
    return *value_;
  }
  std::shared_ptr<T> value_;
};

// A vector that is only read.
template <class T>
class SharedList {
 public:
  using value_type = T;
  using const_iterator = typename std::vector<T>::const_iterator;
  using iterator = const_iterator;

  SharedList() = default;
  SharedList(std::vector<T> list) {  // NOLINT: where a vector is given
    if (!list.empty()) list_ = std::make_shared<const std::vector<T>>(std::move(list));
  }
  SharedList(std::initializer_list<T> list) : SharedList(std::vector<T>(list)) {}
  // LIST is a member of what OWNER keeps alive.
  SharedList(const std::shared_ptr<const void>& owner, const std::vector<T>& list) {
    if (!list.empty()) list_ = std::shared_ptr<const std::vector<T>>(owner, &list);
  }

  [[nodiscard]] const std::vector<T>& get() const {
    static const std::vector<T> none;
    return list_ ? *list_ : none;
  }
  operator const std::vector<T>&() const { return get(); }  // NOLINT: it is one
  [[nodiscard]] const_iterator begin() const { return get().begin(); }
  [[nodiscard]] const_iterator end() const { return get().end(); }
  [[nodiscard]] std::size_t size() const { return get().size(); }
  [[nodiscard]] bool empty() const { return list_ == nullptr; }
  [[nodiscard]] const T& front() const { return get().front(); }
  [[nodiscard]] const T& back() const { return get().back(); }
  const T& operator[](std::size_t i) const { return get()[i]; }

 private:
  std::shared_ptr<const std::vector<T>> list_;  // nullptr: empty
};

}  // namespace asyncleak
