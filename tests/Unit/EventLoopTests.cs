using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Threading;
using Strato.Engine.Linux;
using Xunit;

namespace Strato.Tests.Unit;

public class EventLoopTests
{
    [Fact]
    public void WorkPostedFromAnotherThreadRunsOnTheLoop()
    {
        using EventLoop loop = new();
        int ran = 0;
        int thread = Environment.CurrentManagedThreadId;
        Thread other = new(() =>
        {
            for (int i = 0; i < 10_000; i++)
            {
                loop.Post(() => ran += Environment.CurrentManagedThreadId == thread ? 1 : 0);
            }

            loop.Post(loop.Stop);
        });
        other.Start();
        loop.Run();
        other.Join();
        Assert.Equal(10_000, ran);
    }

    [Fact]
    public void WhatTheHostRefusesToOneHandlerIsToldAndTheOthersGoOn()
    {
        using EventLoop loop = new();
        using FileDescriptor a = Libc.CreateEventFd();
        List<string> told = [];
        int ran = 0;
        LinuxException refusal = new("ioctl", Errno.EPERM);
        loop.Post(() => throw refusal);
        Assert.Same(refusal, Assert.Throws<LinuxException>(() => loop.RunOnce(1000)));

        loop.Failed = error => told.Add(error.Message);
        loop.Add(a.Value, EpollEvents.In, _ => throw refusal);
        loop.Post(() => throw refusal);
        loop.Post(() => ran++);
        Libc.SignalEventFd(a.Value);
        Assert.True(loop.RunOnce(1000));
        Assert.Equal(1, ran);
        Assert.Equal(told, [refusal.Message, refusal.Message]);
    }

    [Fact]
    public void AHandlerRemovedInTheSameBatchIsNotCalled()
    {
        using EventLoop loop = new();
        using FileDescriptor a = Libc.CreateEventFd();
        using FileDescriptor b = Libc.CreateEventFd();
        int calls = 0;
        loop.Add(a.Value, EpollEvents.In, _ => Once(b.Value));
        loop.Add(b.Value, EpollEvents.In, _ => Once(a.Value));
        Libc.SignalEventFd(a.Value);
        Libc.SignalEventFd(b.Value);
        Assert.True(loop.RunOnce(1000));
        Assert.Equal(1, calls);

        void Once(int other)
        {
            calls++;
            loop.Remove(other);
        }
    }

    [Fact]
    public void TimersComeInTheirOrderAndNeverEarly()
    {
        using EventLoop loop = new();
        List<string> came = [];
        long start = Stopwatch.GetTimestamp();
        using LoopTimer late = new(loop, () => Come("late", 40));
        using LoopTimer early = new(loop, () => Come("early", 15));
        using LoopTimer stopped = new(loop, () => Come("stopped", 0));
        using LoopTimer moved = new(loop, () => Come("moved", 25));
        LoopTimer gone = new(loop, () => Come("gone", 0));
        late.Set(TimeSpan.FromMilliseconds(40));
        early.Set(TimeSpan.FromMilliseconds(15));
        stopped.Set(TimeSpan.FromMilliseconds(5));
        stopped.Set(TimeSpan.Zero);
        moved.Set(TimeSpan.FromMilliseconds(5));
        moved.Set(TimeSpan.FromMilliseconds(25));
        gone.Set(TimeSpan.FromMilliseconds(5));
        gone.Dispose();
        gone.Set(TimeSpan.FromMilliseconds(5));
        while (came.Count < 3)
        {
            _ = loop.RunOnce(-1);
        }

        Assert.Equal(["early", "moved", "late"], came);
        Assert.False(loop.RunOnce(0));

        void Come(string name, int milliseconds)
        {
            came.Add(name);
            Assert.True(Stopwatch.GetElapsedTime(start).TotalMilliseconds >= milliseconds, name);
        }
    }

    /// <summary>The loop waits for ever, or for one that is far away, as the timer is set.</summary>
    [Fact]
    public void ATimerThatAnotherThreadSetsWakesTheLoop()
    {
        using EventLoop loop = new();
        using LoopTimer far = new(loop, () => Assert.Fail("an hour isn't over"));
        int rounds = 0;
        LoopTimer? timer = null;
        using ManualResetEventSlim came = new();
        timer = new LoopTimer(loop, () =>
        {
            rounds++;
            came.Set();
        });
        Thread other = new(() =>
        {
            for (int i = 0; i < 200; i++)
            {
                timer.Set(TimeSpan.FromMicroseconds(1 + (i % 50)));
                if (!came.Wait(TimeSpan.FromSeconds(20)))
                {
                    break;
                }

                came.Reset();
                far.Set(i % 2 == 0 ? TimeSpan.FromHours(1) : TimeSpan.Zero);
            }

            loop.Post(loop.Stop);
        });
        other.Start();
        loop.Run();
        other.Join();
        Assert.Equal(200, rounds);
        timer.Dispose();
    }

    /// <summary>Neither a descriptor that is always ready nor a timer that sets itself keeps the other from its turn.</summary>
    [Fact]
    public void TimersAndDescriptorsTakeTurns()
    {
        using EventLoop loop = new();
        using FileDescriptor ready = Libc.CreateEventFd();
        int ran = 0;
        int rang = 0;
        LoopTimer? timer = null;
        timer = new LoopTimer(loop, () =>
        {
            rang++;
            timer!.Set(TimeSpan.FromTicks(1));
        });
        timer.Set(TimeSpan.FromTicks(1));
        loop.Add(ready.Value, EpollEvents.In, _ => ran++);
        Libc.SignalEventFd(ready.Value);
        while (ran < 100 || rang < 100)
        {
            Assert.True(loop.RunOnce(-1));
        }

        timer.Dispose();
    }

    [Fact]
    public void SettingAndRunningTimersAllocatesNothing()
    {
        using EventLoop loop = new();
        using LoopTimer timer = new(loop, () => { });
        using LoopTimer other = new(loop, () => { });
        Once();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
        {
            Once();
        }

        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Once()
        {
            timer.Set(TimeSpan.FromTicks(10));
            other.Set(TimeSpan.FromHours(1));
            while (!loop.RunOnce(-1))
            {
            }
        }
    }
}
