from fastmcp import FastMCP

server = FastMCP("version")


@server.tool
def version() -> int:
    """Version N."""
    return N


if __name__ == "__main__":
    server.run(show_banner=False)
