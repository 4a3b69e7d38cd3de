// Counts what a program really hands to MPI: its point-to-point calls, seen through MPI's profiling interface. For one
// source file of a program.
#pragma once

#include <mpi.h>

#include <cstdint>
#include <map>

namespace wire {

struct totals {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};
inline totals sent;
inline std::map<MPI_Request, int> prepared;  // bytes of persistent sends

inline void count(int bytes) {
  ++sent.messages;
  sent.bytes += static_cast<std::uint64_t>(bytes);
}

}  // namespace wire

extern "C" {

inline __attribute__((used)) int MPI_Isend(const void* data, int bytes, MPI_Datatype type, int peer, int tag,
                                           MPI_Comm comm, MPI_Request* request) {
  wire::count(bytes);
  return PMPI_Isend(data, bytes, type, peer, tag, comm, request);
}
inline __attribute__((used)) int MPI_Send_init(const void* data, int bytes, MPI_Datatype type, int peer, int tag,
                                               MPI_Comm comm, MPI_Request* request) {
  const int code = PMPI_Send_init(data, bytes, type, peer, tag, comm, request);
  wire::prepared[*request] = bytes;
  return code;
}
inline __attribute__((used)) int MPI_Start(MPI_Request* request) {
  const auto found = wire::prepared.find(*request);
  const int code = PMPI_Start(request);  // may hand back another handle
  if (found != wire::prepared.end()) {
    const int bytes = found->second;
    wire::count(bytes);
    wire::prepared.erase(found);
    wire::prepared[*request] = bytes;
  }
  return code;
}
inline __attribute__((used)) int MPI_Request_free(MPI_Request* request) {
  wire::prepared.erase(*request);
  return PMPI_Request_free(request);
}
}
