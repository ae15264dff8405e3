//! The `peasy` command: one match over its subcommands. Everything else is in the library.

use peasy::cli::{self, Arguments, Command, GlobalArguments};
use std::process::ExitCode;

/// Counts what every call allocates, so that memory can be bounded.
#[global_allocator]
static METER: peasy::Meter = peasy::Meter;

fn main() -> ExitCode {
    peasy::script::sandbox::quiet_panics();
    peasy::script::meter::settle_allocator();
    // An agent waits for its hooks at every step: what it starts goes past the reading of commands.
    if let Some(event) = cli::hook::EventArguments::plain(std::env::args_os()) {
        return cli::run(&GlobalArguments::default(), |output| cli::hook::answer(&event, output));
    }
    let Arguments { global, command } = Arguments::read();
    cli::run(&global, |output| match command {
        Command::New(command) => cli::new::run(&command, output),
        Command::Init(command) => cli::init::run(&command, output),
        Command::Check(command) => cli::check::run(&command, output),
        Command::List(command) => cli::list::run(&command, output),
        Command::Describe(command) => cli::describe::run(&command, output),
        Command::Call(command) => cli::call::run(&command, output),
        #[cfg(feature = "worker")]
        Command::Chat(command) => cli::chat::run(&command, output),
        Command::Fmt(command) => cli::fmt::run(&command, output),
        Command::Grant(command) => cli::grant::grant(&command, output),
        Command::Revoke(command) => cli::grant::revoke(&command, output),
        Command::Trust(command) => cli::trust::run(&command, output),
        Command::Enable(command) => cli::enable::run(&command, true, output),
        Command::Disable(command) => cli::enable::run(&command, false, output),
        Command::Hook(command) => cli::hook::run(&command, output),
        Command::Permission(command) => cli::permission::run(&command, output),
        Command::Log(command) => cli::log::run(&command, output),
        Command::Replay(command) => cli::replay::run(&command, output),
        Command::Store(command) => cli::store::run(&command, output),
        Command::Secret(command) => cli::secret::run(&command, output),
        Command::Test(command) => cli::test::run(&command, output),
        Command::Dev(command) => cli::dev::run(&command, output),
        #[cfg(feature = "mcp")]
        Command::Serve(command) => cli::serve::run(&command, output),
        #[cfg(feature = "mcp")]
        Command::Mcp(command) => cli::client::run(&command, output),
        Command::Doctor(command) => cli::doctor::run(&command, output),
        Command::Completions(command) => cli::completions::run(&command, output),
        Command::SandboxProcess => cli::sandbox_process::run(output),
    })
}
