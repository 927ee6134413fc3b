//! What Dockerfiles are put together from, by the feature that each piece stands for.
//!
//! `{n}` becomes a small number, `{id}` something of this chain's own, `{url}` the address of the test's server.

/// A feature, and an instruction that uses it.
pub(super) type Piece = (&'static str, &'static str);

/// Instructions that need a shell.
pub(super) const RUNS: &[Piece] = &[
    ("run", "RUN echo {n} >> /o/f"),
    ("run", "RUN  echo   {n}   $V"),
    ("run", "RUN [\"/bin/sh\", \"-c\", \"echo {n}\"]"),
    ("run", "RUN true \\\n  # why\n  && echo {n}"),
    ("run flags", "RUN --network=none echo {n}"),
    ("heredoc", "RUN <<E\necho {n} >> /o/h\nE"),
    ("heredoc", "RUN cat <<E > /o/h\n{n}\nE"),
    ("heredoc", "RUN <<-\"E\"\n\techo $V {n}\n\tE"),
    ("heredoc", "RUN <<S{n}\n#!/bin/sh\necho script\nS{n}"),
    ("heredoc", "RUN cat <<A <<B\na {n}\nA\nb\nB"),
    ("bind mount", "RUN --mount=type=bind,target=/m,source=src ls /m"),
    ("bind mount", "RUN --mount=target=/m true {n}"),
    ("bind mount", "RUN --mount=target=/m,rw,source=src touch /m/new"),
    ("bind mount", "RUN --mount=target=/m,source=src --mount=target=/k,source=one.txt true"),
    ("bind mount", "RUN --mount=target=/m,source=src/sub/../x.md true"),
    ("bind mount", "RUN --mount=target=/m,source=${V:-one}.txt true"),
    ("named context", "RUN --mount=from=extra,target=/m true {n}"),
    ("named context", "RUN --mount=from=extra,source=d,target=/m true"),
    ("cache mount", "RUN --mount=type=cache,target=/c true"),
    ("cache mount", "RUN --mount=type=cache,target=/c,sharing=locked true"),
    ("cache mount", "RUN --mount=type=cache,id=c{n},target=/c true"),
    ("cache mount", "RUN --mount=type=cache,target=/c,uid={n} true"),
    ("cache mount", "RUN --mount=type=cache,target=/c,mode=0770,id=c{n} true"),
    ("tmpfs mount", "RUN --mount=type=tmpfs,target=/t true"),
    ("tmpfs mount", "RUN --mount=type=tmpfs,target=/t,size={n}m true"),
    ("secret mount", "RUN --mount=type=secret,id=s{n} true"),
    ("secret mount", "RUN --mount=type=secret,id=s1,target=/s,mode=0440 cat /s"),
    ("secret mount", "RUN --mount=type=secret,id=s{n},env=SECRET true"),
    ("ssh mount", "RUN --mount=type=ssh true {n}"),
    ("ssh mount", "RUN --mount=type=ssh,id=k{n} true"),
];

/// Instructions that also an empty stage takes.
pub(super) const FILES: &[Piece] = &[
    ("copy", "COPY src /x"),
    ("copy", "COPY src/ /x/"),
    ("copy", "COPY src/sub /y/"),
    ("copy", "COPY . /all"),
    ("copy", "COPY one.txt two.txt /m/"),
    ("copy", "COPY two.txt one.txt src /m/"),
    ("copy", "COPY src src/sub/deep.txt /m/"),
    ("copy", "COPY [\"with space.txt\", \"/o/\"]"),
    ("wildcard", "COPY *.json /j/"),
    ("wildcard", "COPY s*c /w/"),
    ("wildcard", "COPY src/*/d?ep.txt /w/"),
    ("wildcard", "COPY [ab].json no*match one.txt /w/"),
    ("link in a path", "COPY link /l"),
    ("link in a path", "COPY dirlink /dl"),
    ("link in a path", "COPY dirlink/sub /dls/"),
    ("--chmod", "COPY --chmod=0755 one.txt /o/"),
    ("--chmod", "COPY --chmod=60{n} src /o/c"),
    ("--chown", "COPY --chown=1:2 one.txt ."),
    ("--chown", "COPY --chown={n} src /o/c"),
    ("--link", "COPY --link src /linked-{id}/"),
    ("--link", "COPY --link one.txt /linked-{id}/{n}"),
    ("--link", "COPY --link --chmod=600 one.txt /linked-{id}/"),
    ("--link", "ADD --link one.txt /linked-{id}/a"),
    ("--exclude", "COPY --exclude=*.md src /e/"),
    ("--exclude", "COPY --exclude=sub . /e/"),
    ("--exclude", "COPY --exclude=**/deep.txt --exclude=docs . /e2/"),
    ("--exclude", "ADD --exclude=x.md src /e3/"),
    ("heredoc", "COPY <<E /h.txt\ntext {n} $V\nE"),
    ("heredoc", "COPY <<\"E\" /h.txt\ntext {n} $V\nE"),
    ("heredoc", "COPY <<E{n} <<F /h/\na\nE{n}\nb\nF"),
    ("named context", "COPY --from=extra f /x{n}"),
    ("named context", "COPY --from=extra . /extra/"),
    ("argument in a path", "COPY ${V:-one}.txt /v"),
    ("argument in a path", "COPY one.txt /v${U:+-}$U"),
    ("add", "ADD one.txt /add"),
    ("add", "ADD src /adds/"),
    ("add an archive", "ADD some.tar /unpacked/"),
    ("add an archive", "ADD some.tar one.txt /unpacked{n}/"),
    ("add a URL", "ADD {url}/file{n} /fetched/"),
    ("add a URL", "ADD --chmod=600 {url}/file /fetched/{n}"),
    ("working directory", "WORKDIR rel{n}"),
    ("working directory", "WORKDIR /"),
];

/// With `--parents`, which not every engine has.
pub(super) const PARENTS: &[Piece] = &[
    ("--parents", "COPY --parents src/sub/deep.txt one.txt /p/"),
    ("--parents", "COPY --parents src/./sub/ /p/"),
    ("--parents", "COPY --parents ./src/*/deep.txt /p/"),
    ("--parents", "COPY --parents --exclude=*.md src /p/"),
];

/// Instructions that make nothing by themselves.
pub(super) const SETTINGS: &[Piece] = &[
    ("environment", "ENV A={n} B=2"),
    ("environment", "ENV V=one"),
    ("environment", "ENV PATH=/x:$PATH"),
    ("argument", "ARG V=two"),
    ("argument", "ARG U"),
    ("argument", "ARG G"),
    ("argument", "ARG W=$G-$V"),
    ("platform argument", "ARG TARGETPLATFORM"),
    ("platform argument", "ARG TARGETARCH BUILDPLATFORM"),
    ("user", "USER root"),
    ("shell", "SHELL [\"/bin/bash\", \"-c\"]"),
    ("configuration", "LABEL l={n}"),
    ("configuration", "EXPOSE 8{n}"),
    ("configuration", "CMD [\"{n}\"]"),
];

/// Triggers, for stages that others are based on.
pub(super) const TRIGGERS: &[Piece] = &[
    ("ONBUILD", "ONBUILD COPY one.txt /triggered{n}/"),
    ("ONBUILD", "ONBUILD ENV T={n}"),
    ("ONBUILD", "ONBUILD ADD src/sub /triggered/"),
];

/// How the last stage takes files from the stage `{s}`.
pub(super) const FROM_STAGES: &[Piece] = &[
    ("COPY --from", "COPY --from=s{s} /o /from{s}"),
    ("COPY --from", "COPY --from={s} /o/f /from{s}/"),
    ("COPY --from", "COPY --link --from=s{s} /o /from{s}-{id}"),
    ("mount from a stage", "RUN --mount=type=bind,from=s{s},source=/o,target=/m true"),
    ("mount from a stage", "RUN --mount=type=bind,from=s{s},target=/m,rw true"),
    ("mount from a stage", "RUN --mount=type=cache,target=/c,from=s{s},source=/o true"),
];
