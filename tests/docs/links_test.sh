#!/bin/sh
# Every relative link of the Markdown files leads to a file. From the project's root.
set -eu
status=0
for page in $(find . -maxdepth 1 -name '*.md') $(find docs -name '*.md'); do
  for link in $(sed '/^```/,/^```/d; s/`[^`]*`//g' "$page" | grep -oE '\]\([^)# ]+' | sed 's/^](//' | grep -vE '^(https?|mailto):'); do
    if [ ! -e "$(dirname "$page")/$link" ]; then
      echo "$page: no such file: $link"
      status=1
    fi
  done
done
exit "$status"
