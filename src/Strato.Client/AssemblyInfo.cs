using System.Runtime.CompilerServices;

// Every native call is blittable: no marshalling code is generated or run.
[assembly: DisableRuntimeMarshalling]
