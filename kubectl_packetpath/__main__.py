"""`python -m kubectl_packetpath`, and the command that kubectl finds as its plugin."""


def main() -> None:
    """Run the command line."""
    from kubectl_packetpath.cli.app import run  # noqa: PLC0415 - importing this module costs nothing

    run()


if __name__ == "__main__":
    main()
