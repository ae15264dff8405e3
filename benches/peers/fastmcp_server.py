"""The two tools on FastMCP: over standard input and output, or with `http PORT` over HTTP."""

import sys

from fastmcp import FastMCP
from typing_extensions import TypedDict

server = FastMCP("peer")


class Count(TypedDict):
    words: int
    chars: int


@server.tool
def word_count(text: str, unique: bool = False) -> Count:
    """Count words and characters"""
    words = text.split()
    return Count(words=len(set(words)) if unique else len(words), chars=len(text))


@server.tool
def echo(text: str) -> str:
    """Echo the text"""
    return text


match sys.argv[1:]:
    case ["http", port]:
        server.run(transport="http", host="127.0.0.1", port=int(port), show_banner=False, log_level="warning")
    case _:
        server.run(show_banner=False, log_level="WARNING")
