#!/bin/sh
# Who may include whom under include/polder. A header includes only its own folder and lower layers, above the backends and
# communicators only their concepts, and each optional library is included by one header. Run from the project's root.
set -eu

find include/polder -name '*.hpp' | sort | xargs awk '
  BEGIN {
    layer["core"] = 0
    layer["ops"] = layer["topology"] = layer["io"] = 1
    layer["backend"] = layer["comm"] = 2
    layer["compress"] = layer["objective"] = 3
    layer["gradient"] = layer["update"] = layer["mixing"] = layer["sharpness"] = layer["nn"] = layer["data"] = 4
    layer["train"] = 5
    layer["recipes"] = 6
    # Host memory is what nn/ works in, whatever the backend.
    concept["backend/host_memory.hpp"] = 1
    concept["backend/tensor_backend.hpp"] = concept["backend/matrix_backend.hpp"] = concept["comm/communicator.hpp"] = 1

    # The one header (or folder) of each optional library.
    owner["Eigen/"] = owner["unsupported/"] = "backend/eigen"
    owner["thrust/"] = owner["cub/"] = "backend/thrust"
    owner["cuda/"] = owner["cuda_runtime"] = "backend/cuda"
    owner["cublas"] = "backend/cublas"
    owner["omp.h"] = "backend/thrust"
    owner["mpi.h"] = "comm/mpi"
    owner["zlib.h"] = "io/gzip"
    owner["lzma.h"] = "io/xz"
    # Headers that cost every user compile time or a dependency.
    forbidden = "^(iostream|regex|format|fmt/|nlohmann/|CLI/|spdlog/|catch2/|benchmark/)"
  }

  function complain(reason) {
    printf "%s:%d: %s\n", FILENAME, FNR, reason
    bad = 1
  }

  FNR == 1 {
    file = substr(FILENAME, length("include/polder/") + 1)
    folder = file ~ /\// ? substr(file, 1, index(file, "/") - 1) : ""
    if (folder != "" && !(folder in layer)) complain("the folder " folder "/ has no layer in cmake/gates/check_layers.sh")
    pragma[FILENAME] = 0
  }
  /^#pragma once/ { pragma[FILENAME] = 1 }

  /^[ \t]*#[ \t]*include[ \t]*</ {
    match($0, /<[^>]*>/)
    name = substr($0, RSTART + 1, RLENGTH - 2)
    if (name ~ forbidden) complain("<" name "> is too heavy for a header of polder")
    for (library in owner)
      if (index(name, library) == 1 && index(file, owner[library]) != 1)
        complain("<" name "> belongs to " owner[library] ".hpp alone")
    if (index(name, "polder/") == 1) complain("polder includes its own headers with quotes")
  }

  /^[ \t]*#[ \t]*include[ \t]*"/ {
    match($0, /"[^"]*"/)
    name = substr($0, RSTART + 1, RLENGTH - 2)
    if (index(name, "polder/") != 1) { complain("\"" name "\" must begin with polder/"); next }
    if ((getline line < ("include/" name)) < 0) { complain("\"" name "\" does not exist"); next }
    close("include/" name)
    if (folder == "") next
    name = substr(name, length("polder/") + 1)
    other = name ~ /\// ? substr(name, 1, index(name, "/") - 1) : ""
    if (other == "" && name == "polder.hpp") complain("only users include the umbrella")
    if (other == "" || other == folder) next
    if (!(other in layer)) complain("the folder " other "/ has no layer")
    else if (layer[other] > layer[folder])
      complain(folder "/ (layer " layer[folder] ") must not include " name " (layer " layer[other] ")")
    else if (layer[other] == layer[folder]) complain(folder "/ and " other "/ are siblings: neither includes the other")
    else if (layer[other] == 2 && !(name in concept))
      complain("above the backends and communicators only their concept headers are included, not " name)
  }

  END {
    for (header in pragma) if (!pragma[header]) { printf "%s: no #pragma once\n", header; bad = 1 }
    exit bad
  }'
echo "check_layers: every include follows the layers"
