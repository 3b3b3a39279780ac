#pragma once

#include "proxy/marks_store.hpp"
#include "proxy/session.hpp"

namespace tidemark::proxy {

// For the session's own files.

template <class Function>
decltype(auto) Session::with_marks(const Function& function) {
  if (route_.user == 0) return function(marks_);
  const auto& shared = worker_.shared();
  return shared.marks.visit(route_.user, shared.monitor.positions().asked(), pools::Reactor::Clock::now(),
                            function);
}

template <class Function>
void Session::with_all_marks(const Function& function) {
  if (users_.empty()) return function(marks_);
  const auto& shared = worker_.shared();
  for (const std::uint64_t user : users_) {
    if (user == 0) {
      function(marks_);
    } else {
      shared.marks.visit(user, shared.monitor.positions().asked(), pools::Reactor::Clock::now(), function);
    }
  }
}

}  // namespace tidemark::proxy
