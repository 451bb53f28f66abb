# The editor and the command line in a container:
#   docker build -t sean .
#   docker run --rm -p 7860:7860 sean
#   docker run --rm -v "$PWD:/photos" -w /photos sean edit --image me.jpg --style hair=you.jpg --output edited.png
# A graphics card: --build-arg BASE=an image with Python 3.11 or newer, CUDA's libraries and torch; run with --gpus all.
# Plain pip takes torch's CUDA build on Linux: --build-arg TORCH="torch --index-url URL" takes the smaller one for CPUs,
# with the URL that PyTorch's "Get started" page shows for it.
ARG BASE=python:3.12-slim
FROM ${BASE}
ARG TORCH=torch
ARG EXTRAS=photo,web
WORKDIR /opt/sean
RUN pip install --no-cache-dir ${TORCH}
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN pip install --no-cache-dir ".[${EXTRAS}]" && useradd --create-home sean
USER sean
WORKDIR /home/sean
EXPOSE 7860
ENTRYPOINT ["sean"]
CMD ["web", "--host", "0.0.0.0"]
