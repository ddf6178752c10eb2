// What has something to write when the iteration of the loop ends: all that was queued for one
// peer meanwhile goes out in one write.
#pragma once

#include <cstddef>
#include <limits>
#include <vector>

namespace proxy {

class FlushList {
 public:
  class Member {
   public:
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

   protected:
    explicit Member(FlushList& list) : list_(list) {}
    ~Member() { list_.remove(*this); }

    void flush_later() { list_.add(*this); }  // once, however often it is asked for

   private:
    friend class FlushList;
    virtual void flush() = 0;

    FlushList& list_;
    std::size_t place_ = nowhere;
  };

  void flush();  // every one that asked, in order; also those that a member asks for meanwhile

 private:
  static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();

  void add(Member& member);
  void remove(Member& member);

  std::vector<Member*> members_;  // null: removed
};

}  // namespace proxy
