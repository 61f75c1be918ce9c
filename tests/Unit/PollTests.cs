using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Threading;
using Strato.Engine.Linux;
using Xunit;

namespace Strato.Tests.Unit;

public class PollTests
{
    private const int SIGWINCH = 28;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public void ASignalDoesNotEndTheWait()
    {
        Libc.CreatePipe(out FileDescriptor read, out FileDescriptor write);
        using (read)
        using (write)
        {
            using ManualResetEventSlim heard = new();
            using PosixSignalRegistration registration = PosixSignalRegistration.Create(PosixSignal.SIGWINCH, context =>
            {
                context.Cancel = true;
                heard.Set();
            });
            int thread = 0;
            PollEvents got = PollEvents.None;
            Thread waiter = new(() =>
            {
                Volatile.Write(ref thread, Libc.gettid());
                got = Libc.Poll(read.Value, PollEvents.In, (int)Patience.TotalMilliseconds);
            });
            waiter.Start();
            Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref thread) != 0 && IsAsleep(thread), Patience), "the thread doesn't wait");
            Assert.Equal(0, Libc.tgkill(Libc.getpid(), thread, SIGWINCH));
            Assert.True(heard.Wait(Patience), "the signal doesn't come");
            Assert.True(waiter.IsAlive);
            _ = Libc.Write(write.Value, [1]);
            Assert.True(waiter.Join(Patience));
            Assert.Equal(PollEvents.In, got);
        }
    }

    [Fact]
    public void TheTimeOverIsNothing() => Assert.Equal(PollEvents.None, Libc.Poll(-1, PollEvents.In, 1));

    /// <summary>Field 3 of its stat. Nothing but the poll lets it sleep.</summary>
    private static bool IsAsleep(int thread) => File.ReadAllText($"/proc/self/task/{thread}/stat").Split(") ")[^1].StartsWith('S');
}
